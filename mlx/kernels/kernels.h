// The CPU kernels of agent-memory: quantised matrices in panels, attention over paged KV, and the small fused
// parts around them. Flat C++ without MLX, so that it builds, tests and sanitises alone.
//
// Phases. A row is computed either in a prefill or in a decode; the phase picks the kernel, never the number
// of rows. Within a phase and an instruction set a row's result depends, bit for bit, on that row's input and
// KV only: every output element is one chain of sums in an order fixed by absolute positions.
#pragma once
#include <cstddef>
#include <cstdint>

namespace am {

constexpr int kLanes = 16;         // floats of a vector, in every instruction set
constexpr int kCacheLine = 64;     // bytes
constexpr int kGroup = 32;         // weights that share a scale; K is padded to a multiple of it
constexpr int kPanel = 32;         // output columns of a panel; N is padded to a multiple of it
constexpr int kBlockTokens = 256;  // tokens of one KV block
constexpr int kRowSlack = 32;      // rows that must be readable behind the last row of a bf16 input (AMX tiles)
constexpr int kReadAhead = 4096;   // bytes behind weights and KV that a prefetch may name

inline int round_up(int x, int to) { return (x + to - 1) / to * to; }

// How a matrix keeps its weights, in tiles of 16 columns x 32 inputs.
enum Format : int { kQ4 = 4, kQ5 = 5, kQ6 = 6, kQ8 = 8, kBF16 = 16 };

constexpr int kTileColumns = kLanes;                // of one group's inputs
constexpr int kPanelTiles = kPanel / kTileColumns;  // tiles of one group in a panel
constexpr int kTileValues = kTileColumns * kGroup;  // weights of a tile
constexpr int kTilePairs = kGroup / 2;              // pairs of inputs of a tile
constexpr int kPairValues = kTileColumns * 2;       // weights of one pair of inputs
constexpr int kNibbles = 4;                         // weights in a word of a Q4 tile

// weight = scale * nibble + minimum; scales and minima are f16.
struct Q4Tile {
  uint16_t nibbles[kTileValues / kNibbles];
  uint16_t scale[kTileColumns], minimum[kTileColumns];
};
// weight = scale * number + minimum with numbers of five bits: bit p of a word of high belongs to the word's
// inputs in pair p.
struct Q5Tile {
  uint16_t nibbles[kTileValues / kNibbles];
  uint16_t high[kPairValues];
  uint16_t scale[kTileColumns], minimum[kTileColumns];
};
// weight = scale * (number - kQ6Zero) with numbers of six bits and a scale for each half of the inputs: bits
// 2 p and 2 p + 1 of a word of a half's high belong to the word's inputs in the half's pair p.
struct Q6Tile {
  uint16_t nibbles[kTileValues / kNibbles];
  uint16_t high[2][kPairValues];
  uint16_t scale[2][kTileColumns];
};
constexpr int kQ6Zero = 32;
// weight = scale * value; scales are f16.
struct Q8Tile {
  uint8_t values[kTileValues];  // signed
  uint16_t scale[kTileColumns];
};
struct BF16Tile {
  uint16_t values[kTileValues];
};
static_assert(sizeof(Q4Tile) == 320 && sizeof(Q5Tile) == 384 && sizeof(Q6Tile) == 448 && sizeof(Q8Tile) == 544 &&
                  sizeof(BF16Tile) == 1024,
              "tiles lie one behind the other");

// A weight matrix of n outputs x k inputs in panels of 32 columns.
// All but bf16: panel p holds for each group of 32 inputs two tiles (columns 0-15, 16-31).
// bf16:      panel p holds two column tiles, each [k/2 pairs][16 columns][2].
struct Matrix {
  int n = 0, k = 0;
  Format format = kQ4;
  uint8_t* data = nullptr;  // 64-byte aligned, bytes() long

  int panels() const { return (n + kPanel - 1) / kPanel; }
  int groups() const { return (k + kGroup - 1) / kGroup; }
  int k_padded() const { return groups() * kGroup; }
  size_t tile_bytes() const {
    switch (format) {
      case kQ4: return sizeof(Q4Tile);
      case kQ5: return sizeof(Q5Tile);
      case kQ6: return sizeof(Q6Tile);
      case kQ8: return sizeof(Q8Tile);
      case kBF16: break;
    }
    return sizeof(BF16Tile);
  }
  size_t panel_bytes() const { return tile_bytes() * kPanelTiles * groups(); }
  size_t bytes() const { return panel_bytes() * panels(); }
};

constexpr int kHeadMultiple = 32;  // heads are padded to a multiple of it in Q and KV
constexpr int kKeyTokens = 16;     // tokens whose keys lie side by side in a block
constexpr int kValueDims = 16;     // dimensions of a panel of values

// Shape of one layer's attention.
struct HeadShape {
  int heads = 0, kv_heads = 0, head_dim = 0;
  int head_padded() const { return round_up(head_dim, kHeadMultiple); }
  int q_width() const { return heads * head_padded(); }
  size_t kv_head_elements() const { return (size_t)kBlockTokens * head_padded(); }  // of K, and again of V
  size_t layer_elements() const { return 2 * kv_heads * kv_head_elements(); }       // bf16 elements a block and layer
};

// KV layout of one head in a block, bf16, offset by layer and head:
//   K:         [16 groups of kKeyTokens tokens][head_padded/2][kKeyTokens tokens][2]
//   V follows: [head_padded/kValueDims][128 token pairs][kValueDims dims][2]
// so that both products read rows of 64 bytes in order.

// One sequence's part of a call.
struct Sequence {
  uint16_t* const* blocks = nullptr;  // block table: base of each block's KV
  int start = 0;                      // absolute position of the first row
  int rows = 0;                       // rows in this call (1 in a decode)
};

// The rows of a call, those of each sequence behind those of the one before, and the layer of their blocks.
struct Pages {
  const Sequence* seqs = nullptr;
  int count = 0;
  size_t layer = 0;
  int rows() const {
    int n = 0;
    for (int i = 0; i < count; i++) n += seqs[i].rows;
    return n;
  }
};

// x / rms(x) * weight.
struct Norm {
  const float* weight = nullptr;
  float eps = 0;
};

// x W + bias.
struct Linear {
  const Matrix* w = nullptr;
  const float* bias = nullptr;  // [w->n], null for none
};

// Rotary table: cos and sin of [position][half], with any attention scale already in them. half = rotary dims
// / 2.
struct Rope {
  const float* cos = nullptr;
  const float* sin = nullptr;
  int half = 0;
};

// How a layer's queries, keys and values come from its input. What a family has not is null.
struct Projection {
  Norm norm;                      // of the input
  Linear qkv;                     // columns of Q, then K, then V
  const float* q_norm = nullptr;  // [head_dim]: each head of queries is normed before its rotation, with norm's eps
  const float* k_norm = nullptr;  // the same for keys
  HeadShape shape;
  Rope rope;
};

// What a step computes: the tokens of prompts in chunks, or one token for each sequence.
enum Phase : int { kPrefill = 0, kDecode = 1 };

// How a row scores keys: s = q k * scale, with cap > 0 then s = cap * tanh(s / cap). With window > 0 a row at
// position p sees (p - window, p], else [0, p].
struct Scoring {
  float scale = 1, cap = 0;
  int window = 0;
  // The first position that a row at p sees.
  int first_visible(int p) const { return window > 0 && p >= window ? p - window + 1 : 0; }
};

// A gate's function: x sigmoid(x), or GELU by its tanh approximation.
enum Gate : int { kSiLU = 0, kGELUTanh = 1 };

// The operators of one instruction set. Inputs named x are bf16 [rows][k_padded] with kRowSlack readable rows
// behind them in a prefill, and float [rows][k_padded] in a decode; h, res and out are float [rows][n].
struct Kernels {
  const char* name;
  // out[r] = W[:, ids[r]] * scale as floats.
  void (*embed)(const Matrix& w, const int32_t* ids, int rows, float scale, float* out);
  // q (bf16 [rows][q_width]) = rope(rmsnorm(h) W_q); K and V of every row are written into its sequence's
  // blocks.
  void (*norm_qkv_rope)(Phase phase, const float* h, const Projection& p, const Pages& pages, uint16_t* q);
  // out = softmax(scores) V over the positions that each row sees; out is the phase's x, k = heads *
  // head_dim.
  void (*attention)(Phase phase, const uint16_t* q, HeadShape shape, Scoring scoring, const Pages& pages, void* out);
  // out = res + x W + bias. out may be res.
  void (*linear_residual)(Phase phase, const void* x, Linear linear, const float* res, int rows, float* out);
  // out = res + rmsnorm(x W + bias). out must not be res.
  void (*linear_norm_residual)(Phase phase, const void* x, Linear linear, Norm norm, const float* res, int rows, float* out);
  // out (the phase's x, k = w.n / 2) = gate(rmsnorm(h) W_gate) * (rmsnorm(h) W_up); w has 16 gate and 16 up
  // columns in each panel.
  void (*norm_gate_up)(Phase phase, Gate gate, const float* h, Norm norm, const Matrix& w, int rows, void* out);
  // out = rmsnorm(h) W, always in a decode's arithmetic.
  void (*norm_head)(const float* h, Norm norm, const Matrix& w, int rows, float* out);
  // out[i] = cap * tanh(x[i] / cap) for n values.
  void (*soft_cap)(const float* x, size_t n, float cap, float* out);
};

// Instruction sets, best last. isa_supported asks the processor and the operating system.
enum Isa : int { kPlain = 0, kAvx2 = 1, kAvx512 = 2, kAmx = 3, kIsas };
constexpr const char* kIsaNames[kIsas] = {"plain", "avx2", "avx512", "amx"};
bool isa_supported(Isa isa);
Isa isa_best();
const Kernels& kernels(Isa isa);  // isa must be supported

// Packing, in portable code. dst rows are output columns; map gives the column of source row r.
// Source rows come in GGUF's block layouts, or as float / bf16 / f16 rows, or, as Q6, in blocks of 32 signed
// bytes from -32 to 31 behind a scale in f16 for each 16 of them.
enum Source : int {
  kFromF32 = 0, kFromF16 = 1, kFromBF16 = 2, kFromQ8_0 = 3, kFromQ4_0 = 4, kFromQ4_1 = 5, kFromQ5_1 = 6, kFromQ6 = 7, kSources
};
size_t source_row_bytes(Source source, int k);
Format format_for(Source source);
// Writes source row r of `rows` rows into column columns[r].
void pack_rows(const Matrix& m, Source source, const uint8_t* rows_data, int rows, const int32_t* columns);
// Reads column n of m back as k floats: what the kernels multiply with.
void unpack_column(const Matrix& m, int n, float* out);

float half_to_float(uint16_t h);
uint16_t float_to_half(float f);
inline float bf16_to_float(uint16_t v) {
  uint32_t u = (uint32_t)v << 16;
  float f;
  __builtin_memcpy(&f, &u, 4);
  return f;
}
// Round to nearest even; NaN stays NaN.
inline uint16_t float_to_bf16(float f) {
  uint32_t u;
  __builtin_memcpy(&u, &f, 4);
  if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 0x40);
  return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

// A block's KV <-> rows, all layers at once: for each layer the K rows and then the V rows of the first
// tokens, each [tokens][kv_heads][head_dim] bf16. From any thread, on blocks that nobody writes. What lies
// behind the tokens of a block stays as it is.
void block_to_rows(HeadShape shape, const uint16_t* block, size_t layers, int tokens, uint16_t* rows);
void block_from_rows(HeadShape shape, uint16_t* block, size_t layers, int tokens, const uint16_t* rows);

constexpr int kMaxHeadDim = 1024;  // the dimension of a head; arch.Config.Check refuses more

constexpr int kRestHead = 4;  // bytes of a group's scale and minimum at rest

// Rows at rest in 8 or 4 bits: groups of group_at_rest values along the head, each a scale and a minimum in
// bf16 and then the values' numbers q, the lower of two in the low half of a byte: x = minimum + q scale. n
// is a multiple of the group. What is not finite counts as 0.
inline int group_at_rest(HeadShape s) { return s.head_dim % 64 == 0 ? 64 : s.head_dim % 32 == 0 ? 32 : s.head_dim; }
inline size_t bytes_at_rest(HeadShape s, size_t n, int bits) {
  int g = group_at_rest(s);
  return bits == 16 ? n * 2 : n / g * (kRestHead + ((size_t)g * bits + 7) / 8);
}
void quantise_rows(HeadShape shape, const uint16_t* rows, size_t n, int bits, uint8_t* out);
void restore_rows(HeadShape shape, const uint8_t* in, size_t n, int bits, uint16_t* rows);

// block_to_rows and block_from_rows for one layer, element by element, with K and V apart: their reference,
// and what they do for heads whose layout no loop over words fits.
void kv_to_rows(HeadShape shape, const uint16_t* block, size_t layer, int tokens, uint16_t* k, uint16_t* v);
void kv_from_rows(HeadShape shape, uint16_t* block, size_t layer, int tokens, const uint16_t* k, const uint16_t* v);

}  // namespace am
