// Sixteen lanes as two registers of AVX2 with FMA and F16C.
constexpr int kRows = 3;  // rows of the register tile: 12 accumulators of 16 registers

constexpr int kUnpacked = _MM_SHUFFLE(3, 1, 2, 0);  // puts what a pack of two registers interleaves in order

struct F { __m256 l, h; };
struct I { __m256i l, h; };

static inline F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
static inline void store(float* p, F a) { _mm256_storeu_ps(p, a.l); _mm256_storeu_ps(p + 8, a.h); }
static inline F set1(float a) { return {_mm256_set1_ps(a), _mm256_set1_ps(a)}; }
static inline F add(F a, F b) { return {_mm256_add_ps(a.l, b.l), _mm256_add_ps(a.h, b.h)}; }
static inline F sub(F a, F b) { return {_mm256_sub_ps(a.l, b.l), _mm256_sub_ps(a.h, b.h)}; }
static inline F mul(F a, F b) { return {_mm256_mul_ps(a.l, b.l), _mm256_mul_ps(a.h, b.h)}; }
static inline F div(F a, F b) { return {_mm256_div_ps(a.l, b.l), _mm256_div_ps(a.h, b.h)}; }
static inline F vmax(F a, F b) { return {_mm256_max_ps(a.l, b.l), _mm256_max_ps(a.h, b.h)}; }
static inline F fma(F a, F b, F c) { return {_mm256_fmadd_ps(a.l, b.l, c.l), _mm256_fmadd_ps(a.h, b.h, c.h)}; }
static inline F vabs(F a) {
  const __m256 m = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  return {_mm256_and_ps(a.l, m), _mm256_and_ps(a.h, m)};
}
static inline F vfloor(F a) { return {_mm256_floor_ps(a.l), _mm256_floor_ps(a.h)}; }
static inline float sum(F a) {
  float v[8], s = 0;
  _mm256_storeu_ps(v, _mm256_add_ps(a.l, a.h));
  for (float x : v) s += x;
  return s;
}
static inline float lane_max(F a) {
  float v[8];
  _mm256_storeu_ps(v, _mm256_max_ps(a.l, a.h));
  float m = v[0];
  for (float x : v) m = x > m ? x : m;
  return m;
}
static inline __m256 scale2_half(__m256 p, __m256 n) {
  n = _mm256_max_ps(n, _mm256_set1_ps(-127));
  return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23)));
}
static inline F scale2(F p, F n) { return {scale2_half(p.l, n.l), scale2_half(p.h, n.h)}; }
static inline F select_first(int n, F a, F b) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  __m256 l = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane));
  __m256 h = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n - 8), lane));
  return {_mm256_blendv_ps(b.l, a.l, l), _mm256_blendv_ps(b.h, a.h, h)};
}
// Round to nearest even into the upper half of each lane.
static inline __m256i round_bf16(__m256 a) {
  __m256i u = _mm256_castps_si256(a), odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  return _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
}
static inline void store_bf16(uint16_t* p, F a) {
  __m256i l = _mm256_srli_epi32(round_bf16(a.l), 16), h = _mm256_srli_epi32(round_bf16(a.h), 16);
  _mm256_storeu_si256((__m256i*)p, _mm256_permute4x64_epi64(_mm256_packus_epi32(l, h), kUnpacked));
}
static inline F load_half(const uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)), _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(p + 8)))};
}
static inline __m256 dot_bf16_half(__m256 acc, __m256 a0, __m256 a1, __m256i b) {
  acc = _mm256_fmadd_ps(a0, _mm256_castsi256_ps(_mm256_slli_epi32(b, 16)), acc);
  return _mm256_fmadd_ps(a1, _mm256_castsi256_ps(_mm256_and_si256(b, _mm256_set1_epi32((int)0xffff0000))), acc);
}
static inline F dot_bf16(F acc, uint32_t a, I b) {
  __m256 a0 = _mm256_castsi256_ps(_mm256_set1_epi32((int)(a << 16)));
  __m256 a1 = _mm256_castsi256_ps(_mm256_set1_epi32((int)(a & 0xffff0000)));
  return {dot_bf16_half(acc.l, a0, a1, b.l), dot_bf16_half(acc.h, a0, a1, b.h)};
}
static inline I load_i(const void* p) { return {_mm256_loadu_si256((const __m256i*)p), _mm256_loadu_si256((const __m256i*)p + 1)}; }
static inline void store_i(void* p, I a) { _mm256_storeu_si256((__m256i*)p, a.l); _mm256_storeu_si256((__m256i*)p + 1, a.h); }
static inline I zero_i() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
static inline I add_i(I a, I b) { return {_mm256_add_epi32(a.l, b.l), _mm256_add_epi32(a.h, b.h)}; }
static inline F to_float(I a) { return {_mm256_cvtepi32_ps(a.l), _mm256_cvtepi32_ps(a.h)}; }
static inline I dot_i16(I acc, int32_t a, I b) {
  __m256i x = _mm256_set1_epi32(a);
  return {_mm256_add_epi32(acc.l, _mm256_madd_epi16(b.l, x)), _mm256_add_epi32(acc.h, _mm256_madd_epi16(b.h, x))};
}
template <int S>
static inline I nibble(I w) {
  const __m256i m = _mm256_set1_epi16(15);
  return {_mm256_and_si256(_mm256_srli_epi16(w.l, S), m), _mm256_and_si256(_mm256_srli_epi16(w.h, S), m)};
}
template <int S, int M>
static inline I field(I w) {
  const __m256i m = _mm256_set1_epi16(M);
  if constexpr (S < 0) return {_mm256_and_si256(_mm256_slli_epi16(w.l, -S), m), _mm256_and_si256(_mm256_slli_epi16(w.h, -S), m)};
  else return {_mm256_and_si256(_mm256_srli_epi16(w.l, S), m), _mm256_and_si256(_mm256_srli_epi16(w.h, S), m)};
}
static inline I or_i(I a, I b) { return {_mm256_or_si256(a.l, b.l), _mm256_or_si256(a.h, b.h)}; }
static inline I minus_i16(I a, int n) {
  const __m256i m = _mm256_set1_epi16((int16_t)n);
  return {_mm256_sub_epi16(a.l, m), _mm256_sub_epi16(a.h, m)};
}
static inline I widen_i8(const uint8_t* p) {
  return {_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)p)), _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)(p + 16)))};
}
static inline void store_i16(int16_t* p, F a) {
  __m256i v = _mm256_packs_epi32(_mm256_cvtps_epi32(a.l), _mm256_cvtps_epi32(a.h));
  _mm256_storeu_si256((__m256i*)p, _mm256_permute4x64_epi64(v, kUnpacked));
}
static inline void store_weights_half(uint16_t* p, __m256i q, __m256 d, __m256 m) {
  __m256 even = _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(q, 16), 16)), d, m);
  __m256 odd = _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_srai_epi32(q, 16)), d, m);
  __m256i lo = _mm256_srli_epi32(round_bf16(even), 16);
  __m256i hi = _mm256_and_si256(round_bf16(odd), _mm256_set1_epi32((int)0xffff0000));
  _mm256_storeu_si256((__m256i*)p, _mm256_or_si256(lo, hi));
}
static inline void store_weights(uint16_t* p, I q, F d, F m) {
  store_weights_half(p, q.l, d.l, m.l);
  store_weights_half(p + 16, q.h, d.h, m.h);
}
