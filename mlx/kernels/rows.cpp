// KV blocks to rows at rest and back, for heads of a multiple of kValueDims dimensions. In pairs of
// dimensions K is a transposed matrix of 32-bit words, and V interleaves the rows of two tokens; both are
// plain loops that compilers vectorise.
#include <algorithm>
#include <cstring>

#include "kernels.h"

namespace am {

namespace {

constexpr int kWords = 8;  // of keys that are moved at once

// K of one head and kKeyTokens tokens: to[pair][token] = from[token][pair], in words of two dimensions.
void rows_to_keys(const uint16_t* rows, size_t stride, int tokens, int pairs, uint32_t* block) {
  for (int p = 0; p < pairs; p += kWords) {
    for (int t = 0; t < tokens; t++) {
      uint32_t words[kWords];
      memcpy(words, rows + t * stride + 2 * p, sizeof words);
      for (int i = 0; i < kWords; i++) block[(p + i) * kKeyTokens + t] = words[i];
    }
  }
}

void keys_to_rows(const uint32_t* block, int tokens, int pairs, uint16_t* rows, size_t stride) {
  for (int p = 0; p < pairs; p += kWords) {
    for (int t = 0; t < tokens; t++) {
      uint32_t words[kWords];
      for (int i = 0; i < kWords; i++) words[i] = block[(p + i) * kKeyTokens + t];
      memcpy(rows + t * stride + 2 * p, words, sizeof words);
    }
  }
}

// V of kValueDims dimensions and two tokens.
void interleave(const uint16_t* a, const uint16_t* b, uint16_t* pair) {
  for (int i = 0; i < kValueDims; i++) {
    pair[2 * i] = a[i];
    pair[2 * i + 1] = b[i];
  }
}

void separate(const uint16_t* pair, uint16_t* a, uint16_t* b) {
  for (int i = 0; i < kValueDims; i++) {
    a[i] = pair[2 * i];
    b[i] = pair[2 * i + 1];
  }
}

struct Head {
  size_t k, v;    // of the head in the block, elements
  size_t stride;  // between two tokens' rows
  int pairs;      // of dimensions
};

Head head_of(HeadShape s, size_t layer, int h) {
  size_t k = layer * s.layer_elements() + 2 * h * s.kv_head_elements();
  return {k, k + s.kv_head_elements(), (size_t)s.kv_heads * s.head_dim, s.head_dim / 2};
}

void head_to_rows(HeadShape s, Head h, const uint16_t* block, int tokens, uint16_t* k, uint16_t* v) {
  for (int t = 0; t < tokens; t += kKeyTokens)
    keys_to_rows((const uint32_t*)(block + h.k + (size_t)t * s.head_padded()), std::min(kKeyTokens, tokens - t), h.pairs,
                  k + t * h.stride, h.stride);
  for (int d = 0; d < s.head_dim; d += kValueDims) {
    const uint16_t* panel = block + h.v + (size_t)d / kValueDims * kBlockTokens * kValueDims;
    uint16_t* to = v + d;
    for (int t = 0; t + 1 < tokens; t += 2) separate(panel + t * kValueDims, to + t * h.stride, to + (t + 1) * h.stride);
    if (tokens & 1)
      for (int i = 0; i < kValueDims; i++) to[(tokens - 1) * h.stride + i] = panel[(tokens - 1) * kValueDims + 2 * i];
  }
}

void head_from_rows(HeadShape s, Head h, uint16_t* block, int tokens, const uint16_t* k, const uint16_t* v) {
  for (int t = 0; t < tokens; t += kKeyTokens)
    rows_to_keys(k + t * h.stride, h.stride, std::min(kKeyTokens, tokens - t), h.pairs,
                 (uint32_t*)(block + h.k + (size_t)t * s.head_padded()));
  for (int d = 0; d < s.head_dim; d += kValueDims) {
    uint16_t* panel = block + h.v + (size_t)d / kValueDims * kBlockTokens * kValueDims;
    const uint16_t* from = v + d;
    for (int t = 0; t + 1 < tokens; t += 2) interleave(from + t * h.stride, from + (t + 1) * h.stride, panel + t * kValueDims);
    if (tokens & 1)
      for (int i = 0; i < kValueDims; i++) panel[(tokens - 1) * kValueDims + 2 * i] = from[(tokens - 1) * h.stride + i];
  }
}

}  // namespace

void block_to_rows(HeadShape s, const uint16_t* block, size_t layers, int tokens, uint16_t* rows) {
  size_t half = (size_t)tokens * s.kv_heads * s.head_dim;
  for (size_t layer = 0; layer < layers; layer++, rows += 2 * half) {
    if (s.head_dim % kValueDims) {
      kv_to_rows(s, block, layer, tokens, rows, rows + half);
      continue;
    }
    for (int h = 0; h < s.kv_heads; h++)
      head_to_rows(s, head_of(s, layer, h), block, tokens, rows + h * s.head_dim, rows + half + h * s.head_dim);
  }
}

void block_from_rows(HeadShape s, uint16_t* block, size_t layers, int tokens, const uint16_t* rows) {
  size_t half = (size_t)tokens * s.kv_heads * s.head_dim;
  for (size_t layer = 0; layer < layers; layer++, rows += 2 * half) {
    if (s.head_dim % kValueDims) {
      kv_from_rows(s, block, layer, tokens, rows, rows + half);
      continue;
    }
    for (int h = 0; h < s.kv_heads; h++)
      head_from_rows(s, head_of(s, layer, h), block, tokens, rows + h * s.head_dim, rows + half + h * s.head_dim);
  }
}

}  // namespace am
