// Attention through the block table: flash attention over chunks of 128 tokens in a prefill, one partial
// result for each block in a decode, combined in the blocks' order.

static inline const uint16_t* keys_at(HeadShape s, const uint16_t* block, size_t layer, int kv_head) {
  return block + layer * s.layer_elements() + 2 * kv_head * s.kv_head_elements();
}

// Writes K and V of one token into its block: k is bf16 and padded, v has head_dim floats.
static inline void store_kv(HeadShape s, uint16_t* block, size_t layer, int kv_head, int t, const uint16_t* k, const float* v) {
  auto* keys = (uint32_t*)(block + layer * s.layer_elements() + 2 * kv_head * s.kv_head_elements());
  auto* values = keys + s.kv_head_elements() / 2;
  keys += (size_t)(t / kKeyTokens) * (kKeyTokens / 2) * s.head_padded() + t % kKeyTokens;
  for (int d = 0; d < s.head_padded() / 2; d++) __builtin_memcpy(keys + d * kKeyTokens, k + 2 * d, sizeof *keys);
  auto* value = (uint16_t*)values + t / 2 * kPairValues + (t & 1);
  for (int d = 0; d < s.head_dim; d++)
    value[(size_t)d / kValueDims * kBlockTokens * kValueDims + d % kValueDims * 2] = float_to_bf16(v[d]);
}

// Finds the sequence of a row and its offset there.
static inline const Sequence& sequence_of(const Sequence* seqs, int row, int* offset) {
  for (; row >= seqs->rows; seqs++) row -= seqs->rows;
  *offset = row;
  return *seqs;
}

// One head of queries or keys as bf16: x, normed where there is a weight, rotated, padded. head has room for
// it.
static inline void rotate_head(float* x, const float* weight, const Projection& p, int position, float* head, uint16_t* out) {
  int dim = p.shape.head_dim;
  if (weight) rms_norm(x, {weight, p.norm.eps}, dim, dim, x);
  rope_row(x, head, dim, p.rope, position);
  to_bf16(head, p.shape.head_padded(), out);
}

// One row's queries, and its keys and values in their block.
static inline void rotate_row(float* row, const Projection& p, const Pages& pages, int r, float* head, uint16_t* q) {
  HeadShape s = p.shape;
  int offset, dim = s.head_dim, padded = s.head_padded();
  const Sequence& seq = sequence_of(pages.seqs, r, &offset);
  int position = seq.start + offset;
  auto* key = (uint16_t*)(head + padded);
  for (int i = 0; i < s.heads; i++)
    rotate_head(row + i * dim, p.q_norm, p, position, head, q + (size_t)r * s.q_width() + i * padded);
  for (int i = 0; i < s.kv_heads; i++) {
    rotate_head(row + (s.heads + i) * dim, p.k_norm, p, position, head, key);
    store_kv(s, seq.blocks[position / kBlockTokens], pages.layer, i, position % kBlockTokens, key,
           row + (s.heads + s.kv_heads + i) * dim);
  }
}

static void norm_qkv_rope(Phase phase, const float* h, const Projection& p, const Pages& pages, uint16_t* q) {
  const Matrix& w = *p.qkv.w;
  int rows = pages.rows(), n = w.n, dim = p.shape.head_dim, padded = p.shape.head_padded();
  auto* qkv = (float*)scratch(kQKVSlot, (size_t)rows * n * sizeof(float) + kCacheLine);
  normed_product(phase, h, p.norm, w, rows, [&](int r, int panel, const float* c) {
    store_panel(c, p.qkv.bias, nullptr, qkv, panel, r, n);
  });
  parallel(rows, kRowsPerTicket, [&](int, Tickets& tickets) {
    auto* head = (float*)scratch(kRowSlot, (size_t)padded * (sizeof(float) + sizeof(uint16_t)) + kCacheLine);
    for (int i = dim; i < padded; i++) head[i] = 0;
    for (int r, end; tickets.take(&r, &end);)
      for (; r < end; r++) rotate_row(qkv + (size_t)r * n, p, pages, r, head, q);
  });
}

// ---- Prefill

constexpr int kQueryRows = kRows > 4 ? 48 : 32;  // rows of one item
constexpr int kKeyChunk = 128;                   // tokens of one step

// One row's running softmax: maximum of the scaled scores, sums of the numerators in sixteen lanes, and the
// output.
struct RowState {
  float* maximum;
  float* total;  // kLanes of them
  float* o;      // hp floats
};

// Raises the maximum and rescales what was summed under the old one.
static inline void raise_maximum(RowState row, float maximum, int hp) {
  F decay = exp2v(set1(*row.maximum - maximum));
  *row.maximum = maximum;
  store(row.total, mul(load(row.total), decay));
  for (int i = 0; i < hp; i += kLanes) store(row.o + i, mul(load(row.o + i), decay));
}

// The lanes of a chunk that a row sees: [from, to), which may lie outside of the chunk.
struct Visible {
  int from, to;
};

// Turns one row's raw scores into softmax numerators in bf16. With Masked, scores outside of what the row
// sees do not count; the row must see at least one.
template <bool Masked>
static inline void softmax_step(float* s, uint16_t* p, int width, Visible visible, float scale, RowState row, int hp) {
  F m = set1(kMasked);
  for (int i = 0; i < width; i += kLanes) {
    F v = load(s + i);
    if (Masked && visible.to - i < kLanes) store(s + i, v = select_first(visible.to - i, v, set1(kMasked)));
    if (Masked && visible.from > i) store(s + i, v = select_first(visible.from - i, set1(kMasked), v));
    m = vmax(m, v);
  }
  float maximum = lane_max(m) * scale;
  if (maximum > *row.maximum) raise_maximum(row, maximum, hp);
  F shift = set1(-*row.maximum), factor = set1(scale), l = load(row.total);
#pragma GCC unroll 2
  for (int i = 0; i < width; i += kLanes) {
    F e = exp2v(fma(load(s + i), factor, shift));
    l = add(l, e);
    store_bf16(p + i, e);
  }
  store(row.total, l);
}

// One row's step over a chunk. A chunk that it sees nothing of changes nothing: its numerators are zeros.
static inline void softmax_row(float* s, uint16_t* p, int width, Visible visible, Scoring scoring, RowState row, int hp) {
  if (visible.from >= width || visible.to <= 0) {
    __builtin_memset(p, 0, (size_t)width * 2);
    return;
  }
  float scale = scoring.scale;
  if (scoring.cap > 0) {
    for (int i = 0; i < width; i += kLanes) store(s + i, capped(load(s + i), scale / scoring.cap, scoring.cap));
    scale = 1;
  }
  if (visible.from <= 0 && visible.to >= width) softmax_step<false>(s, p, width, visible, scale * kLog2e, row, hp);
  else softmax_step<true>(s, p, width, visible, scale * kLog2e, row, hp);
}

struct PrefillItem {
  const Sequence* seq;
  int first_row;  // of the sequence within q
  int offset;     // of the item within the sequence
  int kv_head;
};

// Rows [offset, offset + n) of one sequence, one KV head with all its query heads.
static void prefill_item(const uint16_t* q, HeadShape s, Scoring scoring, PrefillItem item, size_t layer, void* out, int out_width) {
  int n = item.seq->rows - item.offset < kQueryRows ? item.seq->rows - item.offset : kQueryRows;
  int group = s.heads / s.kv_heads, hp = s.head_padded(), hd = s.head_dim;
  int position = item.seq->start + item.offset, tokens = position + n;
  const int rows = kQueryRows + kRowSlack;
  auto* scores = (float*)scratch(kScoresSlot, (size_t)rows * kKeyChunk * (sizeof(float) + sizeof(uint16_t)));
  auto* p = (uint16_t*)(scores + rows * kKeyChunk);
  auto* o = (float*)scratch(kOutputsSlot, (size_t)group * rows * (hp + kLanes + 1) * sizeof(float));
  float *total = o + (size_t)group * rows * hp, *maximum = total + group * rows * kLanes;
  for (int i = 0; i < group * rows * (hp + kLanes); i += kLanes) store(o + i, set1(0));
  for (int i = 0; i < group * rows; i++) maximum[i] = kMasked;
  for (int t0 = scoring.first_visible(position) / kKeyChunk * kKeyChunk; t0 < tokens; t0 += kKeyChunk) {
    int width = tokens - t0 < kKeyChunk ? round_up(tokens - t0, kPanel) : kKeyChunk;
    const uint16_t* keys = keys_at(s, item.seq->blocks[t0 / kBlockTokens], layer, item.kv_head);
    const uint16_t* values = keys + s.kv_head_elements() + (size_t)(t0 % kBlockTokens) * kValueDims;
    keys += (size_t)(t0 % kBlockTokens) * hp;
    for (int g = 0; g < group; g++) {
      const uint16_t* qg = q + (size_t)(item.first_row + item.offset) * s.q_width() + (item.kv_head * group + g) * hp;
      float* og = o + (size_t)g * rows * hp;
      for (int t = 0; t < width; t += kPanel)
        tile_product(n, qg, s.q_width(), keys + (size_t)t * hp, keys + (size_t)(t + kKeyTokens) * hp, hp / 2, scores + t, kKeyChunk, false);
      for (int r = 0; r < n; r++) {
        RowState row{maximum + g * rows + r, total + (g * rows + r) * kLanes, og + r * hp};
        Visible visible{scoring.first_visible(position + r) - t0, position + r + 1 - t0};
        softmax_row(scores + r * kKeyChunk, p + r * kKeyChunk, width, visible, scoring, row, hp);
      }
      for (int d = 0; d < hp; d += kPanel)
        tile_product(n, p, kKeyChunk, values + (size_t)d * kBlockTokens, values + (size_t)(d + kValueDims) * kBlockTokens, width / 2,
                     og + d, hp, true);
    }
  }
  for (int g = 0; g < group; g++)
    for (int r = 0; r < n; r++) {
      const float* from = o + ((size_t)g * rows + r) * hp;
      uint16_t* to = (uint16_t*)out + (size_t)(item.first_row + item.offset + r) * out_width + (item.kv_head * group + g) * hd;
      float inverse = 1.0f / sum(load(total + (g * rows + r) * kLanes));
      for (int d = 0; d < hd; d++) to[d] = float_to_bf16(from[d] * inverse);
    }
}

static void prefill_attention(const uint16_t* q, HeadShape s, Scoring scoring, const Pages& pages, void* out) {
  const Sequence* seqs = pages.seqs;
  int width = round_up(s.heads * s.head_dim, kGroup);
  for (int i = 0, row = 0; i < pages.count; row += seqs[i].rows, i++) {
    int parts = (seqs[i].rows + kQueryRows - 1) / kQueryRows;
    parallel(parts * s.kv_heads, 1, [&](int, Tickets& tickets) {
      [[maybe_unused]] TileSession session;
      for (int t, end; tickets.take(&t, &end);) {
        int part = parts - 1 - t / s.kv_heads;  // the longest first
        prefill_item(q, s, scoring, {seqs + i, row, part * kQueryRows, t % s.kv_heads}, pages.layer, out, width);
      }
    });
    for (int r = row; r < row + seqs[i].rows; r++)
      for (int d = s.heads * s.head_dim; d < width; d++) ((uint16_t*)out)[(size_t)r * width + d] = 0;
  }
}

// ---- Decode

struct Partial {
  float maximum, total;
};

// How far ahead a decode prefetches: 64 pairs of dimensions of keys, 32 pairs of tokens of values.
constexpr int kKeysAhead = 64 * kPairValues, kValuesAhead = 32 * kPairValues;

constexpr int kDecodeHeads = 4;  // max_blocks query heads that share one reading of a block

// One block, one KV head, R of its query heads: o[r][hp] = sum of exp2(s - maximum) V over the visible
// tokens. Tokens in front of the first kKeyTokens that hold a visible one are skipped.
template <int R>
static void decode_block(const uint16_t* q, HeadShape s, Scoring scoring, const uint16_t* keys, Visible visible, Partial* part, float* o) {
  int hp = s.head_padded(), tokens = visible.to, padded = round_up(tokens, kPanel), begin = visible.from / kKeyTokens * kKeyTokens;
  F scale = set1(scoring.scale * kLog2e);
  float score[R][kBlockTokens];
  uint16_t p[R][kBlockTokens];
  F m[R];
  for (int r = 0; r < R; r++) m[r] = set1(kMasked);
  for (int t = begin; t < padded; t += kKeyTokens) {
    const uint16_t* k = keys + (size_t)t * hp;
    F a[R][2];
    for (int r = 0; r < R; r++) a[r][0] = a[r][1] = set1(0);
    for (int i = 0; i < hp / 2; i += 2) {
      __builtin_prefetch(k + i * kPairValues + kKeysAhead);
      __builtin_prefetch(k + i * kPairValues + kKeysAhead + kPairValues);
      I k0 = load_i(k + i * kPairValues), k1 = load_i(k + i * kPairValues + kPairValues);
#pragma GCC unroll 4
      for (int r = 0; r < R; r++) {
        uint32_t x[2];
        __builtin_memcpy(x, q + r * hp + 2 * i, sizeof x);
        a[r][0] = dot_bf16(a[r][0], x[0], k0);
        a[r][1] = dot_bf16(a[r][1], x[1], k1);
      }
    }
    for (int r = 0; r < R; r++) {
      F v = add(a[r][0], a[r][1]);
      v = scoring.cap > 0 ? capped(v, scoring.scale / scoring.cap, scoring.cap * kLog2e) : mul(v, scale);
      if (visible.from > t) v = select_first(visible.from - t, set1(kMasked), v);
      if (tokens - t < kLanes) v = select_first(tokens - t, v, set1(kMasked));
      store(score[r] + t, v);
      m[r] = vmax(m[r], v);
    }
  }
  for (int r = 0; r < R; r++) {
    part[r].maximum = lane_max(m[r]);
    F l = set1(0), shift = set1(part[r].maximum);
    for (int t = begin; t < padded; t += kLanes) {
      F e = exp2v(sub(load(score[r] + t), shift));
      l = add(l, e);
      store_bf16(p[r] + t, e);
    }
    part[r].total = sum(l);
  }
  const uint16_t* values = keys + s.kv_head_elements();
  for (int d = 0; d < hp; d += 2 * kValueDims) {
    const uint16_t *v0 = values + (size_t)d * kBlockTokens, *v1 = v0 + kValueDims * kBlockTokens;
    F a[R][2];
    for (int r = 0; r < R; r++) a[r][0] = a[r][1] = set1(0);
    for (int i = begin / 2; i < padded / 2; i++) {
      __builtin_prefetch(v0 + i * kPairValues + kValuesAhead);
      __builtin_prefetch(v1 + i * kPairValues + kValuesAhead);
      I w0 = load_i(v0 + i * kPairValues), w1 = load_i(v1 + i * kPairValues);
#pragma GCC unroll 4
      for (int r = 0; r < R; r++) {
        uint32_t x;
        __builtin_memcpy(&x, p[r] + 2 * i, sizeof x);
        a[r][0] = dot_bf16(a[r][0], x, w0);
        a[r][1] = dot_bf16(a[r][1], x, w1);
      }
    }
    for (int r = 0; r < R; r++) {
      store(o + r * hp + d, a[r][0]);
      store(o + r * hp + d + kValueDims, a[r][1]);
    }
  }
}

static void decode_heads(const uint16_t* q, HeadShape s, Scoring scoring, const uint16_t* keys, Visible visible, Partial* part, float* o) {
  int hp = s.head_padded();
  for (int remaining = s.heads / s.kv_heads; remaining > 0;) {
    int n = remaining >= kDecodeHeads ? kDecodeHeads : remaining;
    if (n == kDecodeHeads) decode_block<kDecodeHeads>(q, s, scoring, keys, visible, part, o);
    else if (n == 3) decode_block<3>(q, s, scoring, keys, visible, part, o);
    else if (n == 2) decode_block<2>(q, s, scoring, keys, visible, part, o);
    else decode_block<1>(q, s, scoring, keys, visible, part, o);
    remaining -= n;
    q += n * hp;
    part += n;
    o += n * hp;
  }
}

// Joins the partial results of blocks [first, blocks) of one head in order; stride is in heads between
// blocks.
static void join_blocks(const Partial* part, const float* o, int first, int blocks, int stride, int hp, int hd, float* out) {
  float m = kMasked, l = 0;
  for (int b = first; b < blocks; b++) m = scalar_max(m, part[b * stride].maximum);
  float acc[kMaxHeadDim] = {};
  for (int b = first; b < blocks; b++) {
    F w = exp2v(set1(part[b * stride].maximum - m));
    l += lane_0(w) * part[b * stride].total;
    for (int d = 0; d < hp; d += kLanes) store(acc + d, fma(w, load(o + (size_t)b * stride * hp + d), load(acc + d)));
  }
  for (int d = 0; d < hd; d++) out[d] = acc[d] / l;
}

static void decode_attention(const uint16_t* q, HeadShape s, Scoring scoring, const Pages& pages, float* out) {
  const Sequence* seqs = pages.seqs;
  int group = s.heads / s.kv_heads, hp = s.head_padded(), width = round_up(s.heads * s.head_dim, kGroup), max_blocks = 0;
  for (int i = 0; i < pages.count; i++) {
    int blocks = seqs[i].start / kBlockTokens + 1;
    max_blocks = blocks > max_blocks ? blocks : max_blocks;
  }
  // parts are [sequence][block][head]
  size_t count = (size_t)pages.count * max_blocks * s.heads;
  auto* o = (float*)scratch(kPartialsSlot, count * (hp * sizeof(float) + sizeof(Partial)));
  auto* part = (Partial*)(o + count * hp);
  parallel(pages.count * max_blocks * s.kv_heads, 1, [&](int, Tickets& tickets) {
    for (int t, end; tickets.take(&t, &end);) {
      int h = t % s.kv_heads, block = t / s.kv_heads % max_blocks, i = t / s.kv_heads / max_blocks;
      int tokens = seqs[i].start + 1 - block * kBlockTokens;
      int from = scoring.first_visible(seqs[i].start) - block * kBlockTokens;
      if (tokens <= 0 || from >= kBlockTokens) continue;
      size_t at = ((size_t)i * max_blocks + block) * s.heads + h * group;
      Visible visible{from > 0 ? from : 0, tokens < kBlockTokens ? tokens : kBlockTokens};
      decode_heads(q + (size_t)i * s.q_width() + h * group * hp, s, scoring, keys_at(s, seqs[i].blocks[block], pages.layer, h),
                      visible, part + at, o + at * hp);
    }
  });
  for (int i = 0; i < pages.count; i++) {
    int from = scoring.first_visible(seqs[i].start) / kBlockTokens, to = seqs[i].start / kBlockTokens + 1;
    for (int h = 0; h < s.heads; h++) {
      size_t at = (size_t)i * max_blocks * s.heads + h;
      join_blocks(part + at, o + at * hp, from, to, s.heads, hp, s.head_dim, out + (size_t)i * width + h * s.head_dim);
    }
    for (int d = s.heads * s.head_dim; d < width; d++) out[(size_t)i * width + d] = 0;
  }
}

static void attention(Phase phase, const uint16_t* q, HeadShape s, Scoring scoring, const Pages& pages, void* out) {
  if (phase == kPrefill) prefill_attention(q, s, scoring, pages, out);
  else decode_attention(q, s, scoring, pages, (float*)out);
}
