// The kernels for AMX: AVX-512 with the tiles of a prefill on the matrix unit.
#include <cstdint>

#include "kernels.h"
#include "threads.h"
#include "tables.h"

#ifdef AM_EMULATED_TILES
#include "testing/emulated_tiles.h"
#endif

#if defined(__x86_64__)
#include "intrinsics.h"
#pragma GCC target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c")

namespace am {
namespace amx_isa {
#define AM_OWN_TILE
#include "simd_avx512.inl"
#include "math.inl"
#include "split.inl"
#include "tile_amx.inl"
#include "matmul.inl"
#include "attention.inl"
}  // namespace amx_isa

const Kernels& amx_kernels() {
  using namespace amx_isa;
  static const Kernels k{"amx", embed, norm_qkv_rope, attention, linear_residual, linear_norm_residual, norm_gate_up,
                         norm_head, soft_cap};
  return k;
}
}  // namespace am
#endif
