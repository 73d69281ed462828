// Matrix products: tiles of bf16 in a prefill, int16 dot products in a decode.

// ---- The register tile: c[rows][32] (+)= a[rows][2 * pairs] * two column tiles b0, b1 of [pairs][16][2].

#ifndef AM_OWN_TILE
template <int R, bool Accumulate>
static inline void tile_rows(const uint16_t* a, size_t lda, const uint16_t* b0, const uint16_t* b1, int pairs, float* c,
                             size_t ldc) {
  F acc[R][2];
#pragma GCC unroll 12
  for (int r = 0; r < R; r++) {
    acc[r][0] = Accumulate ? load(c + r * ldc) : set1(0);
    acc[r][1] = Accumulate ? load(c + r * ldc + kLanes) : set1(0);
  }
  for (int p = 0; p < pairs; p++) {
    I w0 = load_i(b0 + p * kPairValues), w1 = load_i(b1 + p * kPairValues);
#pragma GCC unroll 12
    for (int r = 0; r < R; r++) {
      uint32_t x;
      __builtin_memcpy(&x, a + r * lda + 2 * p, sizeof x);
      acc[r][0] = dot_bf16(acc[r][0], x, w0);
      acc[r][1] = dot_bf16(acc[r][1], x, w1);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; r++) {
    store(c + r * ldc, acc[r][0]);
    store(c + r * ldc + kLanes, acc[r][1]);
  }
}

template <bool Accumulate>
static inline void tile_blocks(int rows, const uint16_t* a, size_t lda, const uint16_t* b0, const uint16_t* b1, int pairs,
                               float* c, size_t ldc) {
  for (; rows >= kRows; rows -= kRows, a += kRows * lda, c += kRows * ldc)
    tile_rows<kRows, Accumulate>(a, lda, b0, b1, pairs, c, ldc);
  if (kRows > 4)
    for (; rows >= 4; rows -= 4, a += 4 * lda, c += 4 * ldc) tile_rows<4, Accumulate>(a, lda, b0, b1, pairs, c, ldc);
  for (; rows > 0; rows--, a += lda, c += ldc) tile_rows<1, Accumulate>(a, lda, b0, b1, pairs, c, ldc);
}

static void tile_product(int rows, const uint16_t* a, size_t lda, const uint16_t* b0, const uint16_t* b1, int pairs,
                         float* c, size_t ldc, bool accumulate) {
  if (accumulate) tile_blocks<true>(rows, a, lda, b0, b1, pairs, c, ldc);
  else tile_blocks<false>(rows, a, lda, b0, b1, pairs, c, ldc);
}

struct TileSession {};
#endif

// ---- Prefill

// How far ahead a loop over weights prefetches: tiles when dequantising, groups and pairs when multiplying.
constexpr int kTilesAhead = 4, kQ4GroupsAhead = 4, kQ8GroupsAhead = 3, kPairsAhead = 32;

static inline void dequantise_q4(const Q4Tile& t, uint16_t* o) {
  F d = load_half(t.scale), m = load_half(t.minimum);
  for (int z = 0; z < kTilePairs / kNibbles; z++, o += kNibbles * kPairValues) {
    I q = load_i(t.nibbles + z * kPairValues);
    store_weights(o, nibble<0>(q), d, m);
    store_weights(o + kPairValues, nibble<4>(q), d, m);
    store_weights(o + 2 * kPairValues, nibble<8>(q), d, m);
    store_weights(o + 3 * kPairValues, nibble<12>(q), d, m);
  }
}

static inline void dequantise_q8(const Q8Tile& t, uint16_t* o) {
  F d = load_half(t.scale);
  for (int p = 0; p < kTilePairs; p++, o += kPairValues) store_weights(o, widen_i8(t.values + p * kPairValues), d, set1(0));
}

// Groups [g0, g1) of a panel as bf16 column tiles: out holds [2][(g1 - g0) * 16 pairs][16][2].
static void dequantise(const Matrix& w, int panel, int g0, int g1, uint16_t* out) {
  size_t column_tile = (size_t)(g1 - g0) * kTileValues, bytes = w.tile_bytes();
  const uint8_t* t = w.data + (size_t)panel * w.panel_bytes() + (size_t)g0 * kPanelTiles * bytes;
  for (int g = 0; g < g1 - g0; g++) {
    for (int n = 0; n < kPanelTiles; n++, t += bytes) {
      uint16_t* o = out + n * column_tile + (size_t)g * kTileValues;
      for (size_t i = 0; i < sizeof(Q4Tile); i += kCacheLine) __builtin_prefetch(t + kTilesAhead * bytes + i);
      if (w.format == kQ4) dequantise_q4(*(const Q4Tile*)t, o);
      else if (w.format == kQ5) dequantise_split(*(const Q5Tile*)t, o);
      else if (w.format == kQ6) dequantise_split(*(const Q6Tile*)t, o);
      else dequantise_q8(*(const Q8Tile*)t, o);
    }
  }
}

constexpr int kRowChunk = 256;   // rows that share one dequantised panel
constexpr int kGroupChunk = 20;  // most groups of K at a time: two column tiles of 20 KB, in the first-level cache

// Calls epilogue(row, panel, c[32]) for every row and panel of x W.
template <class E>
static void prefill_product(const uint16_t* x, const Matrix& w, int rows, E&& epilogue) {
  int chunks = (rows + kRowChunk - 1) / kRowChunk, panels = w.panels(), groups = w.groups(), lda = w.k_padded();
  int parts = (groups + kGroupChunk - 1) / kGroupChunk, step = (groups + parts - 1) / parts;
  parallel(panels * chunks, 1, [&](int, Tickets& tickets) {
    [[maybe_unused]] TileSession session;
    auto* b = (uint16_t*)scratch(kPanelSlot, kGroupChunk * kPanelTiles * sizeof(BF16Tile));
    auto* c = (float*)scratch(kSumsSlot, (size_t)(kRowChunk + kRowSlack) * kPanel * sizeof(float));
    for (int i, end; tickets.take(&i, &end);) {
      int panel = i % panels, r0 = i / panels * kRowChunk, n = rows - r0 < kRowChunk ? rows - r0 : kRowChunk;
      for (int g0 = 0; g0 < groups; g0 += step) {
        int g1 = g0 + step < groups ? g0 + step : groups;
        const uint16_t *b0 = b, *b1 = b + (size_t)(g1 - g0) * kTileValues;
        if (w.format == kBF16) {
          b0 = (const uint16_t*)(w.data + (size_t)panel * w.panel_bytes()) + (size_t)g0 * kTileValues;
          b1 = b0 + (size_t)groups * kTileValues;
        } else {
          dequantise(w, panel, g0, g1, b);
        }
        tile_product(n, x + (size_t)r0 * lda + g0 * kGroup, lda, b0, b1, (g1 - g0) * kTilePairs, c, kPanel, g0 > 0);
      }
      for (int r = 0; r < n; r++) epilogue(r0 + r, panel, c + r * kPanel);
    }
  });
}

// rmsnorm of every row as bf16, for prefill_product.
constexpr int kRowsPerTicket = 8, kNormedRowsPerTicket = 16;

static const uint16_t* normed_rows(const float* h, Norm norm, int k, int padded, int rows) {
  auto* out = (uint16_t*)scratch(kNormedSlot, (size_t)(rows + kRowSlack) * padded * sizeof(uint16_t));
  parallel(rows, kNormedRowsPerTicket, [&](int, Tickets& tickets) {
    auto* row = (float*)scratch(kRowSlot, (size_t)padded * sizeof(float));
    for (int i, end; tickets.take(&i, &end);)
      for (; i < end; i++) {
        rms_norm(h + (size_t)i * k, norm, k, padded, row);
        to_bf16(row, padded, out + (size_t)i * padded);
      }
  });
  return out;
}

// ---- Decode

constexpr int kDecodeRows = 4;  // most rows that share one reading of a panel

// c[b][2] for B rows of a panel. Integer sums are exact, so their order does not matter; the sums over groups
// are one chain for each element.
template <int B>
static inline void panel_q4(const Matrix& w, const uint8_t* t, const QuantisedRow* x, F (*c)[2]) {
  constexpr int kBytes = kPanelTiles * sizeof(Q4Tile);  // of one group
  for (int g = 0; g < w.groups(); g++, t += kBytes) {
    for (int i = 0; i < kBytes; i += kCacheLine) __builtin_prefetch(t + kQ4GroupsAhead * kBytes + i);
#pragma GCC unroll 2
    for (int n = 0; n < kPanelTiles; n++) {
      const Q4Tile& tile = ((const Q4Tile*)t)[n];
      I acc[B][2];
      for (int b = 0; b < B; b++) acc[b][0] = acc[b][1] = zero_i();
#pragma GCC unroll 4
      for (int z = 0; z < kTilePairs / kNibbles; z++) {
        I q = load_i(tile.nibbles + z * kPairValues);
        I w0 = nibble<0>(q), w1 = nibble<4>(q), w2 = nibble<8>(q), w3 = nibble<12>(q);
#pragma GCC unroll 4
        for (int b = 0; b < B; b++) {
          int32_t v[kNibbles];
          __builtin_memcpy(v, x[b].q + g * kGroup + z * 2 * kNibbles, sizeof v);
          acc[b][0] = dot_i16(acc[b][0], v[0], w0);
          acc[b][1] = dot_i16(acc[b][1], v[1], w1);
          acc[b][0] = dot_i16(acc[b][0], v[2], w2);
          acc[b][1] = dot_i16(acc[b][1], v[3], w3);
        }
      }
      F d = load_half(tile.scale), m = load_half(tile.minimum);
#pragma GCC unroll 4
      for (int b = 0; b < B; b++) {
        F s = to_float(add_i(acc[b][0], acc[b][1]));
        c[b][n] = fma(mul(s, d), set1(x[b].scale[g]), c[b][n]);
        c[b][n] = fma(m, set1(x[b].sum[g]), c[b][n]);
      }
    }
  }
}

template <int B>
static inline void panel_q8(const Matrix& w, const uint8_t* t, const QuantisedRow* x, F (*c)[2]) {
  constexpr int kBytes = kPanelTiles * sizeof(Q8Tile);  // of one group
  for (int g = 0; g < w.groups(); g++, t += kBytes) {
    for (int i = 0; i < kBytes; i += kCacheLine) __builtin_prefetch(t + kQ8GroupsAhead * kBytes + i);
#pragma GCC unroll 2
    for (int n = 0; n < kPanelTiles; n++) {
      const Q8Tile& tile = ((const Q8Tile*)t)[n];
      I acc[B][2];
      for (int b = 0; b < B; b++) acc[b][0] = acc[b][1] = zero_i();
#pragma GCC unroll 16
      for (int p = 0; p < kTilePairs; p++) {
        I q = widen_i8(tile.values + p * kPairValues);
        for (int b = 0; b < B; b++) {
          int32_t v;
          __builtin_memcpy(&v, x[b].q + g * kGroup + p * 2, sizeof v);
          acc[b][p & 1] = dot_i16(acc[b][p & 1], v, q);
        }
      }
      F d = load_half(tile.scale);
      for (int b = 0; b < B; b++)
        c[b][n] = fma(mul(to_float(add_i(acc[b][0], acc[b][1])), d), set1(x[b].scale[g]), c[b][n]);
    }
  }
}

// bf16 weights take bf16 inputs: x[b].q holds their bits. Two chains for each element, whatever B is.
template <int B>
static inline void panel_bf16(const Matrix& w, const uint8_t* t, const QuantisedRow* x, F (*c)[2]) {
  constexpr size_t kBytes = kPairValues * sizeof(uint16_t), kAhead = kPairsAhead * kBytes;  // of one pair of inputs
  size_t tile = (size_t)w.groups() * sizeof(BF16Tile);
  F odd[B][2];
  for (int b = 0; b < B; b++) odd[b][0] = odd[b][1] = set1(0);
  for (int p = 0; p < w.groups() * kTilePairs; p += 2) {
    __builtin_prefetch(t + p * kBytes + kAhead);
    __builtin_prefetch(t + tile + p * kBytes + kAhead);
    for (int n = 0; n < kPanelTiles; n++) {
      I w0 = load_i(t + n * tile + p * kBytes), w1 = load_i(t + n * tile + p * kBytes + kBytes);
      for (int b = 0; b < B; b++) {
        uint32_t v[2];
        __builtin_memcpy(v, x[b].q + p * 2, sizeof v);
        c[b][n] = dot_bf16(c[b][n], v[0], w0);
        odd[b][n] = dot_bf16(odd[b][n], v[1], w1);
      }
    }
  }
  for (int b = 0; b < B; b++)
    for (int n = 0; n < kPanelTiles; n++) c[b][n] = add(c[b][n], odd[b][n]);
}

template <int B>
static inline void panel_rows(const Matrix& w, int panel, const QuantisedRow* x, float (*out)[kPanel]) {
  const uint8_t* t = w.data + (size_t)panel * w.panel_bytes();
  F c[B][2];
  for (int b = 0; b < B; b++) c[b][0] = c[b][1] = set1(0);
  if (w.format == kQ4) panel_q4<B>(w, t, x, c);
  else if (w.format == kQ5) panel_split<B, Q5Tile>(w, t, x, c);
  else if (w.format == kQ6) panel_split<B, Q6Tile>(w, t, x, c);
  else if (w.format == kQ8) panel_q8<B>(w, t, x, c);
  else panel_bf16<B>(w, t, x, c);
  for (int b = 0; b < B; b++) {
    store(out[b], c[b][0]);
    store(out[b] + kLanes, c[b][1]);
  }
}

// Rows as the kernels of a decode take them: prepare(row, float out[padded]) fills each.
template <class P>
static const QuantisedRow* decode_inputs(const Matrix& w, int rows, P&& prepare) {
  size_t padded = w.k_padded(), groups = w.groups(), row_bytes = padded * sizeof(int16_t) + 2 * groups * sizeof(float);
  auto* out = (QuantisedRow*)scratch(kQuantisedSlot, rows * sizeof(QuantisedRow) + rows * row_bytes + padded * sizeof(float) + 4 * kCacheLine);
  auto* row = (float*)(((uintptr_t)(out + rows) + kCacheLine - 1) & ~(uintptr_t)(kCacheLine - 1));
  auto* p = (uint8_t*)(row + padded);
  for (int r = 0; r < rows; r++, p += row_bytes) {
    out[r] = {(int16_t*)p, (float*)(p + padded * sizeof(int16_t)), (float*)(p + padded * sizeof(int16_t)) + groups};
    prepare(r, row);
    if (w.format == kBF16) to_bf16(row, (int)padded, (uint16_t*)out[r].q);
    else quantise_row(row, (int)padded, out[r]);
  }
  return out;
}

constexpr int kTicketsPerThread = 8;  // of a product, so that a slow thread is made up for

template <class E>
static void decode_product(const QuantisedRow* x, const Matrix& w, int rows, E&& epilogue) {
  int panels = w.panels(), chunk = panels / (pool_threads() * kTicketsPerThread);
  parallel(panels, chunk < 1 ? 1 : chunk, [&](int, Tickets& tickets) {
    float c[kDecodeRows][kPanel];
    for (int p, end; tickets.take(&p, &end);)
      for (; p < end; p++)
        for (int r = 0; r < rows; r += kDecodeRows) {
          int n = rows - r < kDecodeRows ? rows - r : kDecodeRows;
          if (n == kDecodeRows) panel_rows<kDecodeRows>(w, p, x + r, c);
          else if (n == 3) panel_rows<3>(w, p, x + r, c);
          else if (n == 2) panel_rows<2>(w, p, x + r, c);
          else panel_rows<1>(w, p, x + r, c);
          for (int b = 0; b < n; b++) epilogue(r + b, p, c[b]);
        }
  });
}

// ---- Both phases

template <class E>
static void normed_product(Phase phase, const float* h, Norm norm, const Matrix& w, int rows, E&& epilogue) {
  int k = w.k, padded = w.k_padded();
  if (phase == kPrefill) {
    prefill_product(normed_rows(h, norm, k, padded, rows), w, rows, epilogue);
    return;
  }
  decode_product(decode_inputs(w, rows, [&](int r, float* out) {
    rms_norm(h + (size_t)r * k, norm, k, padded, out);
  }), w, rows, epilogue);
}

// Writes the columns of one panel that exist: c + bias + res to out[row][n]; bias and res may be null.
static inline void store_panel(const float* c, const float* bias, const float* res, float* out, int panel, int row, int n) {
  size_t first = (size_t)panel * kPanel, at = (size_t)row * n + first;
  int width = n - (int)first;
  if (width >= kPanel) {
    for (int i = 0; i < kPanel; i += kLanes) {
      F x = bias ? add(load(c + i), load(bias + first + i)) : load(c + i);
      store(out + at + i, res ? add(load(res + at + i), x) : x);
    }
    return;
  }
  for (int i = 0; i < width; i++) {
    float x = bias ? c[i] + bias[first + i] : c[i];
    out[at + i] = res ? res[at + i] + x : x;
  }
}

// Calls epilogue(row, panel, c[32]) for every row and panel of x W, x as the phase has it.
template <class E>
static void product(Phase phase, const void* x, const Matrix& w, int rows, E&& epilogue) {
  if (phase == kPrefill) {
    prefill_product((const uint16_t*)x, w, rows, epilogue);
    return;
  }
  auto* rows_in = (const float*)x;
  int padded = w.k_padded();
  decode_product(decode_inputs(w, rows, [&](int r, float* o) {
    __builtin_memcpy(o, rows_in + (size_t)r * padded, (size_t)padded * sizeof(float));
  }), w, rows, epilogue);
}

static void linear_residual(Phase phase, const void* x, Linear l, const float* res, int rows, float* out) {
  product(phase, x, *l.w, rows, [&](int r, int p, const float* c) { store_panel(c, l.bias, res, out, p, r, l.w->n); });
}

// A row's norm needs all of its columns: they are written first, and each row is finished in place.
static void linear_norm_residual(Phase phase, const void* x, Linear l, Norm norm, const float* res, int rows, float* out) {
  int n = l.w->n;
  product(phase, x, *l.w, rows, [&](int r, int p, const float* c) { store_panel(c, l.bias, nullptr, out, p, r, n); });
  parallel(rows, kRowsPerTicket, [&](int, Tickets& tickets) {
    for (int r, end; tickets.take(&r, &end);)
      for (; r < end; r++) {
        float* row = out + (size_t)r * n;
        rms_norm(row, norm, n, n, row);
        add_row(res + (size_t)r * n, row, n);
      }
  });
}

static void norm_gate_up(Phase phase, Gate gate, const float* h, Norm norm, const Matrix& w, int rows, void* out) {
  int width = w.n / 2;  // a multiple of kPanel: the packer pads with zeros
  normed_product(phase, h, norm, w, rows, [&](int r, int p, const float* c) {
    F x = load(c), y = mul(gate == kSiLU ? silu(x) : gelu_tanh(x), load(c + kLanes));
    size_t at = (size_t)r * width + p * kLanes;
    if (phase == kPrefill) store_bf16((uint16_t*)out + at, y);
    else store((float*)out + at, y);
  });
}

static void norm_head(const float* h, Norm norm, const Matrix& w, int rows, float* out) {
  normed_product(kDecode, h, norm, w, rows, [&](int r, int p, const float* c) { store_panel(c, nullptr, nullptr, out, p, r, w.n); });
}

static void embed(const Matrix& w, const int32_t* ids, int rows, float scale, float* out) {
  parallel(rows, kRowsPerTicket, [&](int, Tickets& tickets) {
    for (int r, end; tickets.take(&r, &end);)
      for (; r < end; r++) {
        float* row = out + (size_t)r * w.k;
        unpack_column(w, ids[r], row);
        for (int i = 0; i < w.k; i++) row[i] *= scale;
      }
  });
}

static void soft_cap(const float* x, size_t n, float cap, float* out) {
  constexpr size_t kPart = 1 << 14;  // values of a ticket
  parallel((int)((n + kPart - 1) / kPart), 1, [&](int, Tickets& tickets) {
    for (int p, end; tickets.take(&p, &end);)
      for (; p < end; p++) {
        size_t i = p * kPart, to = i + kPart < n ? i + kPart : n;
        for (; i + kLanes <= to; i += kLanes) store(out + i, capped(load(x + i), 1 / cap, cap));
        float rest[kLanes] = {};
        for (size_t j = i; j < to; j++) rest[j - i] = x[j];
        store(rest, capped(load(rest), 1 / cap, cap));
        for (size_t j = i; j < to; j++) out[j] = rest[j - i];
      }
  });
}
