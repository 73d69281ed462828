// The kernels for plain C++. Standard headers come before the target pragma, so that none of their inline
// functions is compiled for it and chosen elsewhere.
#include <cstdint>

#include "kernels.h"
#include "threads.h"
#include "tables.h"

#if true

namespace am {
namespace plain_isa {
#include "simd_plain.inl"
#include "math.inl"
#include "split.inl"
#include "matmul.inl"
#include "attention.inl"
}  // namespace plain_isa

const Kernels& plain_kernels() {
  using namespace plain_isa;
  static const Kernels k{"plain", embed, norm_qkv_rope, attention, linear_residual, linear_norm_residual, norm_gate_up,
                         norm_head, soft_cap};
  return k;
}
}  // namespace am
#endif
