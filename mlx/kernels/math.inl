// Element-wise mathematics shared by the kernels of one instruction set.

constexpr float kLog2e = 1.44269504088896340736f;
constexpr float kMasked = -1e30f;

static inline float vmax_scalar(float a, float b) { return a > b ? a : b; }
static inline float first_lane(F a) {
  float v[16];
  store(v, a);
  return v[0];
}

// 2^t by a polynomial of degree 5 on [0, 1); relative error under 3e-7. t below -150 gives 0.
static inline F exp2v(F t) {
  F n = vfloor(t), f = sub(t, n);
  F p = set1(0.00187757468f);
  p = fma(p, f, set1(0.00898934492f));
  p = fma(p, f, set1(0.055826314f));
  p = fma(p, f, set1(0.240153618f));
  p = fma(p, f, set1(0.693153073f));
  p = fma(p, f, set1(0.999999925f));
  return scale2(p, n);
}

// x * sigmoid(x).
static inline F silu(F x) {
  F t = vmax(mul(x, set1(-kLog2e)), set1(-126));
  t = sub(set1(0), vmax(sub(set1(0), t), set1(-126)));
  return div(x, add(set1(1), exp2v(t)));
}

// 1 / rms(x), summed in sixteen lanes from the start of the row.
static inline float rms_inverse(const float* x, int k, float eps) {
  F s = set1(0);
  int i = 0;
  for (; i + 16 <= k; i += 16) {
    F v = load(x + i);
    s = fma(v, v, s);
  }
  float total = sum(s);
  for (; i < k; i++) total += x[i] * x[i];
  return 1.0f / __builtin_sqrtf(total / (float)k + eps);
}

// out[0..padded) = rmsnorm(x) * w, zeros behind k.
static inline void rms_norm(const float* x, const float* w, float eps, int k, int padded, float* out) {
  float r = rms_inverse(x, k, eps);
  int i = 0;
  for (; i + 16 <= k; i += 16) store(out + i, mul(mul(load(x + i), set1(r)), load(w + i)));
  for (; i < k; i++) out[i] = x[i] * r * w[i];
  for (; i < padded; i++) out[i] = 0;
}

static inline void to_bf16(const float* x, int padded, uint16_t* out) {
  for (int i = 0; i < padded; i += 16) store_bf16(out + i, load(x + i));
}

// A row as int16 with one scale for each group of 32, and the group's sum for the minima.
struct Quantised {
  int16_t* q;
  float* scale;
  float* sum;
};

constexpr float kQuantMax = 32000.0f;

static inline void quantise_row(const float* x, int padded, Quantised out) {
  for (int g = 0; g < padded / 32; g++) {
    F a = load(x + g * 32), b = load(x + g * 32 + 16);
    float m = top(vmax(vabs(a), vabs(b)));
    float inverse = m > 1e-30f ? kQuantMax / m : 0.0f;
    out.scale[g] = m / kQuantMax;
    store_i16(out.q + g * 32, mul(a, set1(inverse)));
    store_i16(out.q + g * 32 + 16, mul(b, set1(inverse)));
    out.sum[g] = sum(add(a, b));
  }
}

// One row's rotation in halves: out may be x. Dimensions behind 2 * half pass through.
static inline void rope_row(const float* x, float* out, int dim, Rope rope, int position) {
  const float *c = rope.cos + (size_t)position * rope.half, *s = rope.sin + (size_t)position * rope.half;
  int h = rope.half, i = 0;
  for (; i + 16 <= h; i += 16) {
    F a = load(x + i), b = load(x + h + i), cc = load(c + i), ss = load(s + i);
    store(out + i, sub(mul(a, cc), mul(b, ss)));
    store(out + h + i, add(mul(b, cc), mul(a, ss)));
  }
  for (; i < h; i++) {
    float a = x[i], b = x[h + i];
    out[i] = a * c[i] - b * s[i];
    out[h + i] = b * c[i] + a * s[i];
  }
  for (i = 2 * h; i < dim; i++) out[i] = x[i];
}

// Runs f(thread, tickets) on the pool.
template <class G>
static inline void parallel(int count, int chunk, G&& f) {
  auto call = [](void* context, int thread, Tickets& tickets) { (*(G*)context)(thread, tickets); };
  pool_run(count, chunk, call, (void*)&f);
}
