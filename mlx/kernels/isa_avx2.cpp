// The kernels for AVX2. Standard headers come before the target pragma, so that none of their inline
// functions is compiled for it and chosen elsewhere.
#include <cstdint>

#include "kernels.h"
#include "threads.h"
#include "tables.h"

#if defined(__x86_64__)
#include "intrinsics.h"
#pragma GCC target("avx2,fma,f16c")
namespace am {
namespace avx2_isa {
#include "simd_avx2.inl"
#include "math.inl"
#include "split.inl"
#include "matmul.inl"
#include "attention.inl"
}  // namespace avx2_isa

const Kernels& avx2_kernels() {
  using namespace avx2_isa;
  static const Kernels k{"avx2", embed, norm_qkv_rope, attention, linear_residual, linear_norm_residual, norm_gate_up,
                         norm_head, soft_cap};
  return k;
}
}  // namespace am
#endif
