// Sixteen lanes in plain C++: for processors without AVX2, and the floor that every other set is compared
// with.
constexpr int kRows = 2;  // rows of the register tile

struct F { float v[kLanes]; };
struct I { int32_t v[kLanes]; };  // holds int32 lanes, or pairs of 16-bit values as loaded

template <class Op>
static inline F each(Op op) {
  F r;
  for (int i = 0; i < kLanes; i++) r.v[i] = op(i);
  return r;
}
static inline F load(const float* p) { return each([=](int i) { return p[i]; }); }
static inline void store(float* p, F a) { __builtin_memcpy(p, a.v, sizeof a.v); }
static inline F set1(float a) { return each([=](int) { return a; }); }
static inline F add(F a, F b) { return each([&](int i) { return a.v[i] + b.v[i]; }); }
static inline F sub(F a, F b) { return each([&](int i) { return a.v[i] - b.v[i]; }); }
static inline F mul(F a, F b) { return each([&](int i) { return a.v[i] * b.v[i]; }); }
static inline F div(F a, F b) { return each([&](int i) { return a.v[i] / b.v[i]; }); }
static inline F vmax(F a, F b) { return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; }); }
static inline F fma(F a, F b, F c) { return each([&](int i) { return a.v[i] * b.v[i] + c.v[i]; }); }
static inline F vabs(F a) { return each([&](int i) { return __builtin_fabsf(a.v[i]); }); }
static inline F vfloor(F a) { return each([&](int i) { return __builtin_floorf(a.v[i]); }); }
static inline float sum(F a) {
  float s = 0;
  for (float x : a.v) s += x;
  return s;
}
static inline float lane_max(F a) {
  float m = a.v[0];
  for (float x : a.v) m = x > m ? x : m;
  return m;
}
static inline F scale2(F p, F n) {
  return each([&](int i) {
    uint32_t u = (uint32_t)((n.v[i] < -127 ? -127 : (int)n.v[i]) + 127) << 23;
    float s;
    __builtin_memcpy(&s, &u, 4);
    return p.v[i] * s;
  });
}
static inline F select_first(int n, F a, F b) { return each([&](int i) { return i < n ? a.v[i] : b.v[i]; }); }
static inline void store_bf16(uint16_t* p, F a) {
  for (int i = 0; i < kLanes; i++) p[i] = float_to_bf16(a.v[i]);
}
static inline F load_half(const uint16_t* p) { return each([=](int i) { return half_to_float(p[i]); }); }
static inline F dot_bf16(F acc, uint32_t a, I b) {
  float a0 = bf16_to_float((uint16_t)a), a1 = bf16_to_float((uint16_t)(a >> 16));
  return each([&](int i) {
    float r = acc.v[i] + a0 * bf16_to_float((uint16_t)b.v[i]);
    return r + a1 * bf16_to_float((uint16_t)((uint32_t)b.v[i] >> 16));
  });
}
static inline I load_i(const void* p) {
  I r;
  __builtin_memcpy(r.v, p, sizeof r.v);
  return r;
}
static inline void store_i(void* p, I a) { __builtin_memcpy(p, a.v, sizeof a.v); }
static inline I zero_i() { return I{}; }
static inline I add_i(I a, I b) {
  for (int i = 0; i < kLanes; i++) a.v[i] += b.v[i];
  return a;
}
static inline F to_float(I a) { return each([&](int i) { return (float)a.v[i]; }); }
static inline I dot_i16(I acc, int32_t a, I b) {
  int16_t a0 = (int16_t)a, a1 = (int16_t)(a >> 16);
  for (int i = 0; i < kLanes; i++) acc.v[i] += a0 * (int16_t)b.v[i] + a1 * (int16_t)(b.v[i] >> 16);
  return acc;
}
template <int S>
static inline I nibble(I w) {
  for (int i = 0; i < kLanes; i++) w.v[i] = (int32_t)((uint32_t)w.v[i] >> S & 0x000f000f);
  return w;
}
// Fields lie within a half of each lane.
template <int S, int M>
static inline I field(I w) {
  for (int i = 0; i < kLanes; i++) {
    uint32_t u = (uint32_t)w.v[i];
    if constexpr (S < 0) u <<= -S;
    else u >>= S;
    w.v[i] = (int32_t)(u & (uint32_t)(M | M << 16));
  }
  return w;
}
static inline I or_i(I a, I b) {
  for (int i = 0; i < kLanes; i++) a.v[i] |= b.v[i];
  return a;
}
static inline I minus_i16(I a, int n) {
  for (int i = 0; i < kLanes; i++) {
    uint32_t u = (uint32_t)a.v[i], low = (u - (uint32_t)n) & 0xffff, high = ((u >> 16) - (uint32_t)n) << 16;
    a.v[i] = (int32_t)(low | high);
  }
  return a;
}
static inline I widen_i8(const uint8_t* p) {
  I r;
  for (int i = 0; i < kLanes; i++) r.v[i] = (int32_t)((uint32_t)(uint16_t)(int8_t)p[2 * i] | (uint32_t)(uint16_t)(int8_t)p[2 * i + 1] << 16);
  return r;
}
static inline void store_i16(int16_t* p, F a) {
  for (int i = 0; i < kLanes; i++) p[i] = (int16_t)__builtin_lrintf(a.v[i]);
}
static inline void store_weights(uint16_t* p, I q, F d, F m) {
  for (int i = 0; i < kLanes; i++) {
    p[2 * i] = float_to_bf16((float)(int16_t)q.v[i] * d.v[i] + m.v[i]);
    p[2 * i + 1] = float_to_bf16((float)(int16_t)(q.v[i] >> 16) * d.v[i] + m.v[i]);
  }
}
