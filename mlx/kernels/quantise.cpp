// KV rows in 8 and 4 bits, group by group. Plain loops over one group, which compilers vectorise.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels.h"

namespace am {

namespace {

constexpr int kMaxGroup = kMaxHeadDim;  // a head that 32 does not divide is one group

void store16(uint8_t* to, uint16_t v) { memcpy(to, &v, 2); }
uint16_t load16(const uint8_t* from) {
  uint16_t v;
  memcpy(&v, from, 2);
  return v;
}

bool is_finite(uint16_t bf16) {
  constexpr uint16_t kExponent = 0x7f80;
  return (bf16 & kExponent) != kExponent;
}

// Writes the group's scale and minimum and returns its numbers in q.
void quantise_group(const uint16_t* x, int g, int levels, uint8_t* head, uint8_t* q) {
  float values[kMaxGroup], low = INFINITY, high = -INFINITY;
  for (int i = 0; i < g; i++) {
    float v = bf16_to_float(x[i]);
    v = is_finite(x[i]) ? v : 0.0f;
    values[i] = v;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  // The scale is that of halves, so that the range of the largest numbers does not overflow.
  uint16_t minimum = float_to_bf16(low);
  float base = bf16_to_float(minimum);
  uint16_t scale = float_to_bf16((high * 0.5f - base * 0.5f) / (float)levels * 2.0f);
  float step = bf16_to_float(scale);
  store16(head, scale);
  store16(head + 2, minimum);
  float inverse = step > 0 ? 0.5f / (step * 0.5f) : 0.0f;
  for (int i = 0; i < g; i++) {
    float t = (values[i] * 0.5f - base * 0.5f) * inverse * 2.0f + 0.5f;
    t = std::min(std::max(t, 0.0f), (float)levels + 0.5f);
    q[i] = (uint8_t)std::min((int)t, levels);
  }
}

constexpr float kMaxBF16 = 3.3895314e38f;

// minimum + q scale, by halves: the largest range would overflow.
inline uint16_t dequantise(float half_low, float half_scale, int q) {
  float v = (half_low + half_scale * (float)q) * 2.0f;
  return float_to_bf16(std::min(std::max(v, -kMaxBF16), kMaxBF16));
}

}  // namespace

void quantise_rows(HeadShape s, const uint16_t* rows, size_t n, int bits, uint8_t* out) {
  int g = group_at_rest(s), levels = (1 << bits) - 1;
  size_t stride = bytes_at_rest(s, g, bits);
  uint8_t q[kMaxGroup + 1] = {};  // the last number of an odd group is paired with 0
  for (size_t at = 0; at < n; at += g, out += stride) {
    quantise_group(rows + at, g, levels, out, q);
    if (bits == 8) {
      memcpy(out + kRestHead, q, g);
      continue;
    }
    for (int i = 0; i < g; i += 2) out[kRestHead + i / 2] = (uint8_t)(q[i] | q[i + 1] << 4);
  }
}

void restore_rows(HeadShape s, const uint8_t* in, size_t n, int bits, uint16_t* rows) {
  int g = group_at_rest(s);
  size_t stride = bytes_at_rest(s, g, bits);
  for (size_t at = 0; at < n; at += g, in += stride, rows += g) {
    float scale = bf16_to_float(load16(in)) * 0.5f, low = bf16_to_float(load16(in + 2)) * 0.5f;
    const uint8_t* q = in + kRestHead;
    if (bits == 8) {
      for (int i = 0; i < g; i++) rows[i] = dequantise(low, scale, q[i]);
      continue;
    }
    for (int i = 0; i < g; i++) rows[i] = dequantise(low, scale, q[i / 2] >> 4 * (i & 1) & 15);
  }
}

}  // namespace am
