// AMX's tile registers in software, so that the AMX kernels' indexing is tested on processors without AMX.
// Semantics after Intel's Software Developer's Manual, TDPBF16PS: for each pair of the inner dimension one
// step of two products, denormals flushed. Rounding between the two products of a pair may differ from the
// real unit.
#pragma once
#include <cstdint>
#include <cstring>

namespace am::emulated {

struct Tile {
  uint8_t row[16][64];
};

inline Tile& tile(int i) {
  thread_local Tile tiles[8];
  return tiles[i];
}

inline void zero(int i) { memset(&tile(i), 0, sizeof(Tile)); }

inline void load(int i, const void* p, size_t stride) {
  for (int r = 0; r < 16; r++) memcpy(tile(i).row[r], (const uint8_t*)p + r * stride, 64);
}

inline void store(int i, void* p, size_t stride) {
  for (int r = 0; r < 16; r++) memcpy((uint8_t*)p + r * stride, tile(i).row[r], 64);
}

inline float bf16(const uint8_t* p) {
  uint32_t u = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 24;
  float f;
  memcpy(&f, &u, 4);
  return f;
}

// c[m][n] += a[m][2k] b[k][2n] + a[m][2k+1] b[k][2n+1]
inline void dot(int c, int a, int b) {
  for (int m = 0; m < 16; m++)
    for (int k = 0; k < 16; k++)
      for (int n = 0; n < 16; n++) {
        float acc;
        memcpy(&acc, tile(c).row[m] + 4 * n, 4);
        acc += bf16(tile(a).row[m] + 4 * k) * bf16(tile(b).row[k] + 4 * n);
        acc += bf16(tile(a).row[m] + 4 * k + 2) * bf16(tile(b).row[k] + 4 * n + 2);
        memcpy(tile(c).row[m] + 4 * n, &acc, 4);
      }
}

}  // namespace am::emulated
