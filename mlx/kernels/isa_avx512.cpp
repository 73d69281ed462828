// The kernels for AVX-512. Standard headers come before the target pragma, so that none of their inline
// functions is compiled for it and chosen elsewhere.
#include <cstdint>

#include "kernels.h"
#include "threads.h"
#include "tables.h"

#if defined(__x86_64__)
#include "intrinsics.h"
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c")
namespace am {
namespace avx512_isa {
#include "simd_avx512.inl"
#include "math.inl"
#include "split.inl"
#include "matmul.inl"
#include "attention.inl"
}  // namespace avx512_isa

const Kernels& avx512_kernels() {
  using namespace avx512_isa;
  static const Kernels k{"avx512", embed, norm_qkv_rope, attention, linear_residual, linear_norm_residual, norm_gate_up,
                         norm_head, soft_cap};
  return k;
}
}  // namespace am
#endif
