// Sixteen lanes on AVX-512 (F, BW, VL, VNNI, BF16).
constexpr int kRows = 12;  // rows of the register tile: 24 accumulators of 32 registers

using F = __m512;
using I = __m512i;

static inline F load(const float* p) { return _mm512_loadu_ps(p); }
static inline void store(float* p, F a) { _mm512_storeu_ps(p, a); }
static inline F set1(float a) { return _mm512_set1_ps(a); }
static inline F add(F a, F b) { return _mm512_add_ps(a, b); }
static inline F sub(F a, F b) { return _mm512_sub_ps(a, b); }
static inline F mul(F a, F b) { return _mm512_mul_ps(a, b); }
static inline F div(F a, F b) { return _mm512_div_ps(a, b); }
static inline F vmax(F a, F b) { return _mm512_max_ps(a, b); }
static inline F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
static inline F vabs(F a) { return _mm512_abs_ps(a); }
static inline F vfloor(F a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
static inline float sum(F a) { return _mm512_reduce_add_ps(a); }
static inline float lane_max(F a) { return _mm512_reduce_max_ps(a); }
// p * 2^n for whole n.
static inline F scale2(F p, F n) { return _mm512_scalef_ps(p, n); }
// a where lane < n, b elsewhere.
static inline F select_first(int n, F a, F b) {
  return _mm512_mask_mov_ps(b, n >= kLanes ? 0xffff : n <= 0 ? 0 : (__mmask16)((1u << n) - 1), a);
}
static inline void store_bf16(uint16_t* p, F a) { _mm256_storeu_si256((__m256i*)p, (__m256i)_mm512_cvtneps_pbh(a)); }
static inline F load_half(const uint16_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p)); }

// acc + a0 b0 + a1 b1 over pairs of bf16; a is one pair for all lanes.
static inline F dot_bf16(F acc, uint32_t a, I b) { return _mm512_dpbf16_ps(acc, (__m512bh)b, (__m512bh)_mm512_set1_epi32((int)a)); }
static inline I load_i(const void* p) { return _mm512_loadu_si512(p); }
static inline void store_i(void* p, I a) { _mm512_storeu_si512(p, a); }
static inline I zero_i() { return _mm512_setzero_si512(); }
static inline I add_i(I a, I b) { return _mm512_add_epi32(a, b); }
static inline F to_float(I a) { return _mm512_cvtepi32_ps(a); }
// acc + a0 b0 + a1 b1 over pairs of int16.
static inline I dot_i16(I acc, int32_t a, I b) { return _mm512_dpwssd_epi32(acc, b, _mm512_set1_epi32(a)); }
template <int S>
static inline I nibble(I w) {
  return S == 12 ? _mm512_srli_epi16(w, 12) : _mm512_and_si512(_mm512_srli_epi16(w, S), _mm512_set1_epi16(15));
}
// The bits of M of each int16, shifted right by S, or left by -S.
template <int S, int M>
static inline I field(I w) {
  if constexpr (S < 0) return _mm512_and_si512(_mm512_slli_epi16(w, -S), _mm512_set1_epi16(M));
  else return _mm512_and_si512(_mm512_srli_epi16(w, S), _mm512_set1_epi16(M));
}
static inline I or_i(I a, I b) { return _mm512_or_si512(a, b); }
static inline I minus_i16(I a, int n) { return _mm512_sub_epi16(a, _mm512_set1_epi16((int16_t)n)); }
// 32 signed bytes as 32 int16.
static inline I widen_i8(const uint8_t* p) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i*)p)); }
static inline void store_i16(int16_t* p, F a) { _mm256_storeu_si256((__m256i*)p, _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(a))); }
// bf16 pairs of sixteen columns from int16 pairs: bf16(q * d + m), with d and m one per column.
static inline void store_weights(uint16_t* p, I q, F d, F m) {
  const I even = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  const I odd = _mm512_add_epi32(even, _mm512_set1_epi32(8));
  F lo = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm512_castsi512_si256(q)));
  F hi = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(q, 1)));
  lo = fma(lo, _mm512_permutexvar_ps(even, d), _mm512_permutexvar_ps(even, m));
  hi = fma(hi, _mm512_permutexvar_ps(odd, d), _mm512_permutexvar_ps(odd, m));
  _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(hi, lo));
}
