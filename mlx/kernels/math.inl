// Element-wise mathematics shared by the kernels of one instruction set.

constexpr float kLog2e = 1.44269504088896340736f;
constexpr float kMasked = -1e30f;  // the score of a position that a row does not see

static inline float scalar_max(float a, float b) { return a > b ? a : b; }
static inline float lane_0(F a) {
  float v[kLanes];
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

// a where |a| < bound, +-bound elsewhere.
static inline F clamp(F a, float bound) {
  a = vmax(a, set1(-bound));
  return sub(set1(0), vmax(sub(set1(0), a), set1(-bound)));
}

// x * sigmoid(u / log2(e)).
static inline F gate(F x, F u) { return div(x, add(set1(1), exp2v(clamp(sub(set1(0), u), 126)))); }

static inline F silu(F x) { return gate(x, mul(x, set1(kLog2e))); }

// x * (1 + tanh(v)) / 2 = x * sigmoid(2 v) with v = sqrt(2 / pi) (x + 0.044715 x^3), the approximation of
// GELU by Hendrycks and Gimpel.
static inline F gelu_tanh(F x) {
  F v = mul(x, fma(mul(x, x), set1(0.044715f), set1(1)));
  return gate(x, mul(v, set1(2 * 0.797884560802865f * kLog2e)));
}

// tanh(x) = (e^2x - 1) / (e^2x + 1), relative error under 5e-7 at every x. With 2x = (n + f) ln 2 and |f| <=
// 1/2 the numerator is 2^n (2^f - 1) + (2^n - 1), which loses nothing near zero; 2^f - 1 is f times a
// polynomial.
static inline F tanhv(F x) {
  F t = clamp(mul(x, set1(2 * kLog2e)), 30), n = vfloor(add(t, set1(0.5f))), f = sub(t, n);
  F p = set1(0.00015403512f);
  p = fma(p, f, set1(0.0013390735f));
  p = fma(p, f, set1(0.009618238f));
  p = fma(p, f, set1(0.055503573f));
  p = fma(p, f, set1(0.24022649f));
  p = fma(p, f, set1(0.6931472f));
  F power = scale2(set1(1), n), e = fma(mul(p, f), power, sub(power, set1(1)));
  return div(e, add(e, set1(2)));
}

// cap * tanh(x * inner): with inner = scale / cap the soft cap of x * scale.
static inline F capped(F x, float inner, float cap) { return mul(tanhv(mul(x, set1(inner))), set1(cap)); }

// 1 / rms(x), summed in kLanes lanes from the start of the row.
static inline float rms_inverse(const float* x, int k, float eps) {
  F s = set1(0);
  int i = 0;
  for (; i + kLanes <= k; i += kLanes) {
    F v = load(x + i);
    s = fma(v, v, s);
  }
  float total = sum(s);
  for (; i < k; i++) total += x[i] * x[i];
  return 1.0f / __builtin_sqrtf(total / (float)k + eps);
}

// out[0..padded) = rmsnorm(x) * weight, zeros behind k. out may be x.
static inline void rms_norm(const float* x, Norm norm, int k, int padded, float* out) {
  float r = rms_inverse(x, k, norm.eps);
  const float* w = norm.weight;
  int i = 0;
  for (; i + kLanes <= k; i += kLanes) store(out + i, mul(mul(load(x + i), set1(r)), load(w + i)));
  for (; i < k; i++) out[i] = x[i] * r * w[i];
  for (; i < padded; i++) out[i] = 0;
}

// out[0..n) += x.
static inline void add_row(const float* x, float* out, int n) {
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, add(load(x + i), load(out + i)));
  for (; i < n; i++) out[i] += x[i];
}

static inline void to_bf16(const float* x, int padded, uint16_t* out) {
  for (int i = 0; i < padded; i += kLanes) store_bf16(out + i, load(x + i));
}

// A row as int16 with one scale for each group of inputs, and the group's sum for the minima.
struct QuantisedRow {
  int16_t* q;
  float* scale;
  float* sum;
};

constexpr float kQuantMax = 32000.0f;    // of a quantised input; two products of it and 15 fit int32 many times
constexpr float kQuantMinimum = 1e-30f;  // a group of smaller numbers counts as zeros

static inline void quantise_row(const float* x, int padded, QuantisedRow out) {
  for (int g = 0; g < padded / kGroup; g++) {
    F a = load(x + g * kGroup), b = load(x + g * kGroup + kLanes);
    float m = lane_max(vmax(vabs(a), vabs(b)));
    float inverse = m > kQuantMinimum ? kQuantMax / m : 0.0f;
    out.scale[g] = m / kQuantMax;
    store_i16(out.q + g * kGroup, mul(a, set1(inverse)));
    store_i16(out.q + g * kGroup + kLanes, mul(b, set1(inverse)));
    out.sum[g] = sum(add(a, b));
  }
}

// One row's rotation in halves: out may be x. Dimensions behind 2 * half pass through.
static inline void rope_row(const float* x, float* out, int dim, Rope rope, int position) {
  const float *c = rope.cos + (size_t)position * rope.half, *s = rope.sin + (size_t)position * rope.half;
  int h = rope.half, i = 0;
  for (; i + kLanes <= h; i += kLanes) {
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
