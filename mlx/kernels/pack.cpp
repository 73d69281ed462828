// Packing of weights into panels, and of KV rows into blocks. Portable: runs once per weight, not per token.
// The block layouts of the sources are those of ggml's format description (ggml-common.h, block_q4_0 and
// others).
#include <cstring>

#include "kernels.h"

namespace am {

float half_to_float(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023, u;
  if (exponent == 31) {
    u = sign | 0x7f800000 | fraction << 13;
  } else if (exponent) {
    u = sign | (exponent + 112) << 23 | fraction << 13;
  } else {
    float f = (float)fraction * 5.9604644775390625e-8f;  // 2^-24
    memcpy(&u, &f, 4);
    u |= sign;
  }
  float f;
  memcpy(&f, &u, 4);
  return f;
}

uint16_t float_to_half(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  uint32_t sign = u >> 16 & 0x8000;
  u &= 0x7fffffff;
  if (u > 0x7f800000) return sign | 0x7e00;
  if (u >= 0x477ff000) return sign | 0x7c00;
  if (u >= 0x38800000) return (uint16_t)(sign | (((u + 0xfff + (u >> 13 & 1)) >> 13) - (112 << 10)));
  float a;
  memcpy(&a, &u, 4);
  a += 0.5f;  // 2^-1 has an ulp of 2^-24: rounds to the subnormals' grid
  memcpy(&u, &a, 4);
  return sign | (u - 0x3f000000);
}

// ggml's blocks are a scale (Q4_1: and a minimum) in f16, and then kGroup weights.
constexpr int kHalf = sizeof(uint16_t);
constexpr float kQ4_0Zero = -8;  // a Q4_0 block's minimum is this many scales

size_t source_row_bytes(Source source, int k) {
  switch (source) {
    case kFromF32: return (size_t)k * 4;
    case kFromF16:
    case kFromBF16: return (size_t)k * 2;
    case kFromQ8_0: return (size_t)(k / kGroup) * (kHalf + kGroup);
    case kFromQ4_0: return (size_t)(k / kGroup) * (kHalf + kGroup / 2);
    case kFromQ4_1: return (size_t)(k / kGroup) * (2 * kHalf + kGroup / 2);
    case kFromQ5_1: return (size_t)(k / kGroup) * (2 * kHalf + kGroup / 8 + kGroup / 2);
    case kFromQ6: return (size_t)(k / kGroup) * (2 * kHalf + kGroup);
    case kSources: break;
  }
  return 0;
}

Format format_for(Source source) {
  switch (source) {
    case kFromQ4_0:
    case kFromQ4_1: return kQ4;
    case kFromQ5_1: return kQ5;
    case kFromQ6: return kQ6;
    case kFromQ8_0: return kQ8;
    default: return kBF16;
  }
}

namespace {

uint16_t load16(const uint8_t* p) {
  uint16_t v;
  memcpy(&v, p, 2);
  return v;
}

uint8_t* tile_at(const Matrix& m, int column, int group) {
  return m.data + (size_t)(column / kPanel) * m.panel_bytes() +
         ((size_t)group * kPanelTiles + column / kTileColumns % kPanelTiles) * m.tile_bytes();
}

// Where input k of column c lies in a tile of pairs: [pair][column][2].
int in_pairs(int k, int c) { return k / 2 * kPairValues + c * 2 + (k & 1); }

// Nibble of pair p = 4z + j, column c, parity b lies in word z * kPairValues + 2c + b at bits 4j.
int nibble_word(int k, int c) { return k / (2 * kNibbles) * kPairValues + c * 2 + (k & 1); }

// Sets the bits of mask of a word, shifted.
void set_bits(uint16_t& word, int mask, int value, int shift) {
  word = (uint16_t)((word & ~(mask << shift)) | (value & mask) << shift);
}

void store_nibbles(uint16_t* nibbles, int c, const uint8_t* q) {
  for (int k = 0; k < kGroup; k++) set_bits(nibbles[nibble_word(k, c)], 15, q[k], k / 2 % kNibbles * 4);
}

void store_q4(Q4Tile& tile, int c, const uint8_t* q, uint16_t d, uint16_t min) {
  store_nibbles(tile.nibbles, c, q);
  tile.scale[c] = d;
  tile.minimum[c] = min;
}

void store_q5(Q5Tile& tile, int c, const uint8_t* q, uint16_t d, uint16_t min) {
  store_nibbles(tile.nibbles, c, q);
  for (int k = 0; k < kGroup; k++) set_bits(tile.high[c * 2 + (k & 1)], 1, q[k] >> 4, k / 2);
  tile.scale[c] = d;
  tile.minimum[c] = min;
}

constexpr int kHalfPairs = kTilePairs / 2;  // of a half's inputs of a Q6 tile

void store_q6(Q6Tile& tile, int c, const uint8_t* q, uint16_t d, uint16_t second) {
  store_nibbles(tile.nibbles, c, q);
  for (int k = 0; k < kGroup; k++) set_bits(tile.high[k / kTilePairs][c * 2 + (k & 1)], 3, q[k] >> 4, k / 2 % kHalfPairs * 2);
  tile.scale[0][c] = d;
  tile.scale[1][c] = second;
}

void store_q8(Q8Tile& tile, int c, const uint8_t* q, uint16_t d) {
  for (int k = 0; k < kGroup; k++) tile.values[in_pairs(k, c)] = q[k];
  tile.scale[c] = d;
}

uint16_t* bf16_at(const Matrix& m, int column, int k) {
  size_t column_tile = (size_t)m.groups() * kTileValues;
  return (uint16_t*)(m.data + (size_t)(column / kPanel) * m.panel_bytes()) + column / kTileColumns % kPanelTiles * column_tile +
         in_pairs(k, column % kTileColumns);
}

void unpack_nibbles(const uint8_t* src, uint8_t* q) {
  for (int i = 0; i < kGroup / 2; i++) {
    q[i] = src[i] & 15;
    q[kGroup / 2 + i] = src[i] >> 4;
  }
}

// Four bytes of fifth bits, and the nibbles.
void unpack_fifths(const uint8_t* src, uint8_t* q) {
  unpack_nibbles(src + kGroup / 8, q);
  for (int i = 0; i < kGroup; i++) q[i] |= (uint8_t)((src[i / 8] >> i % 8 & 1) << 4);
}

uint16_t source_bf16(Source source, const uint8_t* row, int k) {
  if (source == kFromBF16) return load16(row + 2 * k);
  if (source == kFromF16) return float_to_bf16(half_to_float(load16(row + 2 * k)));
  float f;
  memcpy(&f, row + 4 * k, 4);
  return float_to_bf16(f);
}

void pack_quantised(const Matrix& m, Source source, const uint8_t* row, int column) {
  uint8_t q[kGroup];
  for (int g = 0; g < m.groups(); g++) {
    uint8_t* tile = tile_at(m, column, g);
    const uint8_t* block = row + g * source_row_bytes(source, kGroup);
    int c = column % kTileColumns;
    uint16_t d = load16(block);
    if (source == kFromQ8_0) {
      store_q8(*(Q8Tile*)tile, c, block + kHalf, d);
    } else if (source == kFromQ5_1) {
      unpack_fifths(block + 2 * kHalf, q);
      store_q5(*(Q5Tile*)tile, c, q, d, load16(block + kHalf));
    } else if (source == kFromQ6) {
      for (int i = 0; i < kGroup; i++) q[i] = (uint8_t)((int8_t)block[2 * kHalf + i] + kQ6Zero);
      store_q6(*(Q6Tile*)tile, c, q, d, load16(block + kHalf));
    } else if (source == kFromQ4_1) {
      unpack_nibbles(block + 2 * kHalf, q);
      store_q4(*(Q4Tile*)tile, c, q, d, load16(block + kHalf));
    } else {
      unpack_nibbles(block + kHalf, q);
      store_q4(*(Q4Tile*)tile, c, q, d, float_to_half(kQ4_0Zero * half_to_float(d)));
    }
  }
}

}  // namespace

void pack_rows(const Matrix& m, Source source, const uint8_t* rows_data, int rows, const int32_t* columns) {
  size_t stride = source_row_bytes(source, m.k);
  for (int r = 0; r < rows; r++) {
    const uint8_t* row = rows_data + r * stride;
    if (m.format != kBF16) {
      pack_quantised(m, source, row, columns[r]);
      continue;
    }
    for (int k = 0; k < m.k; k++) *bf16_at(m, columns[r], k) = source_bf16(source, row, k);
  }
}

namespace {

// Number k of a tile's column c.
int nibble_at(const uint16_t* nibbles, int k, int c) { return nibbles[nibble_word(k, c)] >> 4 * (k / 2 % kNibbles) & 15; }

float weight_at(const Q4Tile& t, int k, int c) {
  return half_to_float(t.scale[c]) * (float)nibble_at(t.nibbles, k, c) + half_to_float(t.minimum[c]);
}

float weight_at(const Q5Tile& t, int k, int c) {
  int q = nibble_at(t.nibbles, k, c) | (t.high[c * 2 + (k & 1)] >> k / 2 & 1) << 4;
  return half_to_float(t.scale[c]) * (float)q + half_to_float(t.minimum[c]);
}

float weight_at(const Q6Tile& t, int k, int c) {
  int half = k / kTilePairs, q = nibble_at(t.nibbles, k, c) | (t.high[half][c * 2 + (k & 1)] >> k / 2 % kHalfPairs * 2 & 3) << 4;
  return half_to_float(t.scale[half][c]) * (float)(q - kQ6Zero);
}

float weight_at(const Q8Tile& t, int k, int c) { return half_to_float(t.scale[c]) * (float)(int8_t)t.values[in_pairs(k, c)]; }

}  // namespace

void unpack_column(const Matrix& m, int n, float* out) {
  for (int k = 0; k < m.k; k++) {
    const uint8_t* tile = tile_at(m, n, k / kGroup);
    int i = k % kGroup, c = n % kTileColumns;
    switch (m.format) {
      case kQ4: out[k] = weight_at(*(const Q4Tile*)tile, i, c); break;
      case kQ5: out[k] = weight_at(*(const Q5Tile*)tile, i, c); break;
      case kQ6: out[k] = weight_at(*(const Q6Tile*)tile, i, c); break;
      case kQ8: out[k] = weight_at(*(const Q8Tile*)tile, i, c); break;
      case kBF16: out[k] = bf16_to_float(*bf16_at(m, n, k)); break;
    }
  }
}

namespace {

// Calls f(element in the block, element in the rows) for K, then with V offsets for V.
template <class F>
void each_kv(HeadShape s, size_t layer, int tokens, F f) {
  int hp = s.head_padded();
  for (int h = 0; h < s.kv_heads; h++) {
    size_t k0 = layer * s.layer_elements() + 2 * h * s.kv_head_elements(), v0 = k0 + s.kv_head_elements();
    for (int t = 0; t < tokens; t++) {
      for (int d = 0; d < s.head_dim; d++) {
        size_t row = ((size_t)t * s.kv_heads + h) * s.head_dim + d;
        f(k0 + (size_t)t / kKeyTokens * kKeyTokens * hp + d / 2 * (2 * kKeyTokens) + t % kKeyTokens * 2 + (d & 1),
          v0 + (size_t)d / kValueDims * kBlockTokens * kValueDims + t / 2 * (2 * kValueDims) + d % kValueDims * 2 + (t & 1), row);
      }
    }
  }
}

}  // namespace

void kv_to_rows(HeadShape s, const uint16_t* block, size_t layer, int tokens, uint16_t* k, uint16_t* v) {
  each_kv(s, layer, tokens, [&](size_t ke, size_t ve, size_t row) {
    k[row] = block[ke];
    v[row] = block[ve];
  });
}

void kv_from_rows(HeadShape s, uint16_t* block, size_t layer, int tokens, const uint16_t* k, const uint16_t* v) {
  each_kv(s, layer, tokens, [&](size_t ke, size_t ve, size_t row) {
    block[ke] = k[row];
    block[ve] = v[row];
  });
}

}  // namespace am
