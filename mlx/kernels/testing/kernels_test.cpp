// Tests of the kernels: each against its plain reference over many shapes, and the numeric contract bit for bit.
// Every instruction set that the processor has is tested; `kernels_test ISA...` demands the named ones.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "../kernels.h"
#include "../threads.h"
#include "reference.h"

using namespace am;
using Floats = std::vector<float>;
using Shorts = std::vector<uint16_t>;

static int passed, failed;
static std::string context;

static void check(bool ok, const char* what) {
  ok ? passed++ : failed++;
  if (!ok) printf("FAIL %s: %s\n", context.c_str(), what);
}

static std::mt19937 generator(1);

static Floats random_floats(size_t n, float sigma) {
  std::normal_distribution<float> d(0, sigma);
  Floats v(n);
  for (float& x : v) x = d(generator);
  return v;
}

struct OwnedMatrix : Matrix {
  OwnedMatrix(int n_, int k_, Source source, bool gate_up = false) {
    n = n_, k = k_, format = format_for(source);
    data = (uint8_t*)pages_alloc(bytes());
    std::vector<uint8_t> raw = random_rows(source);
    std::vector<int32_t> columns(n);
    for (int i = 0; i < n; i++) columns[i] = gate_up ? (i % (n / 2)) / 16 * 32 + i % 16 + (i >= n / 2) * 16 : i;
    pack_rows(*this, source, raw.data(), n, columns.data());
  }
  ~OwnedMatrix() { pages_free(data); }
  OwnedMatrix(const OwnedMatrix&) = delete;

  std::vector<uint8_t> random_rows(Source source) {
    std::vector<uint8_t> raw((size_t)n * source_row_bytes(source, k));
    if (source == kFromF32) {
      Floats f = random_floats((size_t)n * k, 0.05f);
      memcpy(raw.data(), f.data(), raw.size());
      return raw;
    }
    for (auto& b : raw) b = (uint8_t)generator();
    size_t block = source == kFromQ8_0 ? 34 : source == kFromQ4_0 ? 18 : 20;
    for (size_t i = 0; i < raw.size(); i += block) {
      uint16_t d = float_to_half(source == kFromQ8_0 ? 0.0005f : 0.008f), m = float_to_half(-0.06f);
      memcpy(&raw[i], &d, 2);
      if (source == kFromQ4_1) memcpy(&raw[i + 2], &m, 2);
    }
    return raw;
  }
};

// Largest difference over the largest magnitude.
template <class G>
static double error_of(const reference::Rows& want, G got) {
  double worst = 0, top = 1e-9;
  for (size_t r = 0; r < want.size(); r++)
    for (size_t i = 0; i < want[r].size(); i++) {
      worst = std::max(worst, std::fabs(want[r][i] - got(r, i)));
      top = std::max(top, std::fabs(want[r][i]));
    }
  return worst / top;
}

static Shorts bf16_rows(const Floats& x, int rows, int k, int padded) {
  Shorts out((size_t)(rows + kRowSlack) * padded);
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < k; i++) out[(size_t)r * padded + i] = float_to_bf16(x[(size_t)r * k + i]);
  return out;
}

static Floats padded_rows(const Floats& x, int rows, int k, int padded) {
  Floats out((size_t)rows * padded);
  for (int r = 0; r < rows; r++) memcpy(&out[(size_t)r * padded], &x[(size_t)r * k], k * 4);
  return out;
}

static Floats linear(const Kernels& k, Role role, const Floats& x, const Matrix& w, const Floats& res, int first, int count) {
  Floats out((size_t)count * w.n);
  int padded = w.k_padded();
  Floats part(x.begin() + (size_t)first * w.k, x.begin() + (size_t)(first + count) * w.k);
  if (role == kPrompt)
    k.linear_residual(role, bf16_rows(part, count, w.k, padded).data(), w, res.data() + (size_t)first * w.n, count, out.data());
  else
    k.linear_residual(role, padded_rows(part, count, w.k, padded).data(), w, res.data() + (size_t)first * w.n, count, out.data());
  return out;
}

static void test_linear(const Kernels& k, Source source, int rows, int n, int kk) {
  OwnedMatrix w(n, kk, source);
  Floats x = random_floats((size_t)rows * kk, 1), res = random_floats((size_t)rows * n, 1);
  reference::Rows in(rows, std::vector<double>(kk));
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < kk; i++) in[r][i] = x[(size_t)r * kk + i];
  auto want = reference::product(in, w);
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < n; i++) want[r][i] += res[(size_t)r * n + i];
  for (Role role : {kPrompt, kGenerated}) {
    Floats all = linear(k, role, x, w, res, 0, rows);
    double e = error_of(want, [&](int r, int i) { return all[(size_t)r * n + i]; });
    check(e < (role == kPrompt || w.format == kBF16 ? 0.01 : 0.0005), "linear_residual is near its reference");
    for (int r = 0; r < rows; r += 1 + rows / 3) {
      Floats one = linear(k, role, x, w, res, r, 1);
      check(!memcmp(one.data(), &all[(size_t)r * n], (size_t)n * 4), "linear_residual: a row alone is the row among others");
    }
  }
}

static void test_linear_norm(const Kernels& k, Source source, int rows, int n, int kk) {
  OwnedMatrix w(n, kk, source);
  int padded = w.k_padded();
  Floats x = random_floats((size_t)rows * kk, 1), res = random_floats((size_t)rows * n, 1), norm = random_floats(n, 1), zeros((size_t)rows * n);
  Shorts prompt = bf16_rows(x, rows, kk, padded);
  Floats generated = padded_rows(x, rows, kk, padded);
  for (Role role : {kPrompt, kGenerated}) {
    const void* in = role == kPrompt ? (const void*)prompt.data() : generated.data();
    Floats product = linear(k, role, x, w, zeros, 0, rows), out((size_t)rows * n);
    auto want = reference::rms_norm(product.data(), norm.data(), 1e-6, rows, n);
    k.linear_norm_residual(role, in, w, norm.data(), 1e-6f, res.data(), rows, out.data());
    double e = error_of(want, [&](int r, int i) { return out[(size_t)r * n + i] - res[(size_t)r * n + i]; });
    check(e < 1e-5, "linear_norm_residual is the product, normed, added");
    for (int r = 0; r < rows; r += 1 + rows / 3) {
      Floats one(n);
      size_t at = (size_t)r * padded;
      const void* row = role == kPrompt ? (const void*)(prompt.data() + at) : generated.data() + at;
      k.linear_norm_residual(role, row, w, norm.data(), 1e-6f, &res[(size_t)r * n], 1, one.data());
      check(!memcmp(one.data(), &out[(size_t)r * n], (size_t)n * 4), "linear_norm_residual: a row alone is the row among others");
    }
  }
}

static void test_soft_cap(const Kernels& k) {
  for (float cap : {1.0f, 30.0f}) {
    Floats x;
    for (int i = -4000; i <= 4000; i++) x.push_back(cap * i / 300.0f);
    for (float small = 1e-30f; small < 1; small *= 3) x.push_back(cap * small), x.push_back(-cap * small);
    for (float large : {1e3f, 1e30f, -1e30f}) x.push_back(large);
    Floats out(x.size()), one(1);
    k.soft_cap(x.data(), x.size(), cap, out.data());
    double worst = 0;
    bool alone = true;
    for (size_t i = 0; i < x.size(); i++) {
      double want = cap * std::tanh((double)x[i] / cap);
      if (want != 0) worst = std::max(worst, std::fabs(out[i] / want - 1));
      k.soft_cap(&x[i], 1, cap, one.data());
      alone &= one[0] == out[i];
    }
    check(worst < 7e-7, "soft_cap is within its relative error");
    check(alone, "soft_cap: a value alone is the value among others");
  }
}

static void test_embed(const Kernels& k, Source source) {
  OwnedMatrix w(40, 96, source);
  std::vector<int32_t> ids{39, 0, 7};
  Floats out(3 * 96), column(96);
  k.embed(w, ids.data(), 3, 1.5f, out.data());
  bool same = true;
  for (int r = 0; r < 3; r++) {
    unpack_column(w, ids[r], column.data());
    for (int i = 0; i < 96; i++) same &= out[r * 96 + i] == column[i] * 1.5f;
  }
  check(same, "embed scales the columns");
}

static void test_gate_up(const Kernels& k, Source source, Gate gate, int rows, int f, int kk) {
  int width = round_up(f, 32);
  OwnedMatrix w(2 * width, kk, source, true);
  Floats h = random_floats((size_t)rows * kk, 3), norm = random_floats(kk, 1);
  auto all = reference::product(reference::rms_norm(h.data(), norm.data(), 1e-5, rows, kk), w);
  reference::Rows want(rows, std::vector<double>(width));
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < width; i++) want[r][i] = reference::gate(gate, all[r][i / 16 * 32 + i % 16]) * all[r][i / 16 * 32 + 16 + i % 16];
  Shorts p((size_t)rows * width);
  k.norm_gate_up(kPrompt, gate, h.data(), norm.data(), 1e-5f, w, rows, p.data());
  check(error_of(want, [&](int r, int i) { return bf16_to_float(p[(size_t)r * width + i]); }) < 0.03, "norm_gate_up of a prompt");
  Floats g((size_t)rows * width);
  k.norm_gate_up(kGenerated, gate, h.data(), norm.data(), 1e-5f, w, rows, g.data());
  check(error_of(want, [&](int r, int i) { return g[(size_t)r * width + i]; }) < (w.format == kBF16 ? 0.03 : 0.001), "norm_gate_up of generated tokens");
}

static void test_head(const Kernels& k, Source source, int rows, int n, int kk) {
  OwnedMatrix w(n, kk, source);
  Floats h = random_floats((size_t)rows * kk, 3), norm = random_floats(kk, 1), out((size_t)rows * n);
  k.norm_head(h.data(), norm.data(), 1e-5f, w, rows, out.data());
  auto want = reference::product(reference::rms_norm(h.data(), norm.data(), 1e-5, rows, kk), w);
  check(error_of(want, [&](int r, int i) { return out[(size_t)r * n + i]; }) < (w.format == kBF16 ? 0.01 : 0.0005), "norm_head");
}

// A layer's attention over a paged cache: writes through norm_qkv_rope in pieces, compares with the reference.
struct Paged {
  HeadShape s;
  Scoring scoring;
  int kk;
  OwnedMatrix w;
  Floats norm, cos, sin;
  Rope rope;
  static constexpr size_t kLayers = 2, kLayer = 1;

  Paged(HeadShape shape, Scoring scoring_, int k_, Source source, int tokens)
      : s(shape), scoring(scoring_), kk(k_), w((shape.heads + 2 * shape.kv_heads) * shape.head_dim, k_, source), norm(random_floats(k_, 0.5f)) {
    rope.half = s.head_dim / 2;
    cos.resize((size_t)tokens * rope.half), sin.resize(cos.size());
    for (int t = 0; t < tokens; t++)
      for (int i = 0; i < rope.half; i++) {
        double a = t * std::pow(10000.0, -(double)i / rope.half);
        cos[(size_t)t * rope.half + i] = (float)std::cos(a), sin[(size_t)t * rope.half + i] = (float)std::sin(a);
      }
    rope.cos = cos.data(), rope.sin = sin.data();
  }

  struct Cache {
    std::vector<uint16_t*> blocks;
    Cache(const HeadShape& s, int tokens) {
      for (int t = 0; t < tokens; t += kBlockTokens) blocks.push_back((uint16_t*)pages_alloc(kLayers * s.layer_elements() * 2));
    }
    ~Cache() {
      for (auto* b : blocks) pages_free(b);
    }
    Cache(const Cache&) = delete;
  };

  int width() const { return round_up(s.heads * s.head_dim, 32); }

  // Computes rows [from, from + n) of h as a prompt; returns the attention's output rows.
  Shorts prompt(const Kernels& k, Cache& c, const Floats& h, int from, int n) {
    Sequence seq{c.blocks.data(), from, n};
    Shorts q((size_t)(n + kRowSlack) * s.q_width()), out((size_t)n * width());
    k.norm_qkv_rope(kPrompt, &h[(size_t)from * kk], norm.data(), 1e-5f, w, s, rope, &seq, 1, kLayer, q.data());
    k.attention(kPrompt, q.data(), s, scoring, &seq, 1, kLayer, out.data());
    return out;
  }

  // Computes the row behind each cache's tokens as one generated batch.
  Floats generate(const Kernels& k, std::vector<Cache*> caches, const Floats& rows, const std::vector<int>& at) {
    int n = (int)caches.size();
    std::vector<Sequence> seqs;
    for (int i = 0; i < n; i++) seqs.push_back({caches[i]->blocks.data(), at[i], 1});
    Shorts q((size_t)(n + kRowSlack) * s.q_width());
    Floats out((size_t)n * width());
    k.norm_qkv_rope(kGenerated, rows.data(), norm.data(), 1e-5f, w, s, rope, seqs.data(), n, kLayer, q.data());
    k.attention(kGenerated, q.data(), s, scoring, seqs.data(), n, kLayer, out.data());
    return out;
  }

  reference::Rows expected(const Floats& h, int tokens) {
    auto qkv = reference::product(reference::rms_norm(h.data(), norm.data(), 1e-5, tokens, kk), w);
    int hd = s.head_dim, group = s.heads / s.kv_heads;
    for (int t = 0; t < tokens; t++)
      for (int i = 0; i < s.heads + s.kv_heads; i++) reference::rope(&qkv[t][i * hd], rope, t);
    reference::Rows out(tokens, std::vector<double>(s.heads * hd));
    for (int i = 0; i < s.heads; i++) {
      reference::Rows keys, values;
      for (auto& row : qkv) {
        auto k = row.begin() + (s.heads + i / group) * hd, v = k + s.kv_heads * hd;
        keys.emplace_back(k, k + hd), values.emplace_back(v, v + hd);
      }
      for (int t = 0; t < tokens; t++) {
        auto o = reference::attention({qkv[t].begin() + i * hd, qkv[t].begin() + (i + 1) * hd}, keys, values, scoring, t);
        std::copy(o.begin(), o.end(), out[t].begin() + i * hd);
      }
    }
    return out;
  }
};

static void test_attention(const Kernels& k, HeadShape s, int kk, Source source, int tokens, float cap = 0, int window = 0) {
  Paged p(s, {1 / std::sqrt((float)s.head_dim), cap, window}, kk, source, tokens + 8);
  Floats h = random_floats((size_t)(tokens + 8) * kk, 1);
  auto want = p.expected(h, tokens);
  Paged::Cache whole(s, tokens + 8), pieces(s, tokens + 8);
  Shorts all = p.prompt(k, whole, h, 0, tokens);
  int width = p.width();
  double e = error_of(want, [&](int r, int i) { return bf16_to_float(all[(size_t)r * width + i]); });
  check(e < 0.03, "attention of a prompt is near its reference");
  size_t done = 0;
  for (int from = 0, step = 1; from < tokens; from += step, step = step * 3 % 97 + 1) {
    int n = std::min(step, tokens - from);
    Shorts part = p.prompt(k, pieces, h, from, n);
    done += !memcmp(part.data(), &all[(size_t)from * width], part.size() * 2) ? n : 0;
  }
  check((int)done == tokens, "attention: chunk borders change no bit of the output");
  size_t block = Paged::kLayers * s.layer_elements() * 2;
  bool same = true;
  for (size_t i = 0; i < whole.blocks.size(); i++) same &= !memcmp(whole.blocks[i], pieces.blocks[i], block);
  check(same, "norm_qkv_rope: chunk borders change no bit of the KV");

  Floats next(h.begin() + (size_t)tokens * kk, h.begin() + (size_t)(tokens + 1) * kk), longer = h;
  auto wanted = p.expected(h, tokens + 1);
  Floats one = p.generate(k, {&whole}, next, {tokens});
  double g = error_of({wanted[tokens]}, [&](int, int i) { return one[i]; });
  check(g < 0.03, "attention of a generated token is near its reference");
  Paged::Cache mate(s, 300);
  p.prompt(k, mate, h, 0, std::min(tokens, 5));
  Floats two(next);
  two.insert(two.begin(), h.begin(), h.begin() + kk);
  Floats batch = p.generate(k, {&mate, &pieces}, two, {std::min(tokens, 5), tokens});
  check(!memcmp(&batch[width], one.data(), (size_t)width * 4), "attention: batch mates change no bit");
}

// The whole block at once against element by element, in both directions; what lies behind the tokens stays.
static void test_block_rows(HeadShape s, int tokens) {
  Paged::Cache a(s, 256), b(s, 256);
  size_t half = (size_t)tokens * s.kv_heads * s.head_dim, elements = Paged::kLayers * s.layer_elements();
  Shorts rows(2 * half * Paged::kLayers), back(rows.size());
  for (auto& x : rows) x = (uint16_t)generator();
  for (size_t i = 0; i < elements; i++) a.blocks[0][i] = b.blocks[0][i] = (uint16_t)generator();
  block_from_rows(s, a.blocks[0], Paged::kLayers, tokens, rows.data());
  for (size_t l = 0; l < Paged::kLayers; l++)
    kv_from_rows(s, b.blocks[0], l, tokens, &rows[2 * l * half], &rows[(2 * l + 1) * half]);
  check(!memcmp(a.blocks[0], b.blocks[0], elements * 2), "rows enter a block as element by element");
  block_to_rows(s, a.blocks[0], Paged::kLayers, tokens, back.data());
  check(rows == back, "a block's rows come back");
}

// Within half a step and the roundings of bf16; constant groups are exact; what is not finite harms no neighbour.
static void test_quantised_rows(HeadShape s, int bits) {
  int g = group_at_rest(s);
  size_t n = (size_t)g * 6;
  Shorts rows(n), back(n);
  for (size_t i = 0; i < n; i++) rows[i] = float_to_bf16((float)((int)(generator() % 2001) - 1000) / 100.0f);
  for (int i = 0; i < g; i++) rows[g + i] = float_to_bf16(-3.25f);
  for (int i = 0; i < g; i++) rows[2 * g + i] = i & 1 ? 0x7f7f : 0xff7f;  // the largest numbers of both signs
  rows[3 * g] = 0x7fc0, rows[3 * g + 1] = 0x7f80, rows[3 * g + 2] = 0xff80;
  std::vector<uint8_t> packed(bytes_at_rest(s, n, bits) + 1, 0xa5);
  quantise_rows(s, rows.data(), n, bits, packed.data());
  check(packed.back() == 0xa5, "quantised rows stay within their bytes");
  restore_rows(s, packed.data(), n, bits, back.data());
  bool near = true, constant = true, finite = true;
  for (size_t i = 0; i < n; i++) {
    float want = bf16_to_float(rows[i]), got = bf16_to_float(back[i]), step = 20.0f / (float)((1 << bits) - 1);
    size_t group = i / g;
    if (group == 1) constant &= rows[i] == back[i];
    if (group == 0 || group > 3) near &= std::fabs(want - got) <= 0.51f * step + 0.1f;
    finite &= (back[i] & 0x7f80) != 0x7f80;
  }
  check(near, "quantised rows come back within half a step");
  check(constant, "a constant group comes back as it was");
  check(finite, "nothing that is not finite comes back");
}

static void test_rows(HeadShape s) {
  for (int bits : {8, 4}) test_quantised_rows(s, bits);

  Paged::Cache a(s, 256), b(s, 256);
  size_t n = (size_t)kBlockTokens * s.kv_heads * s.head_dim;
  Shorts k(n), v(n), k2(n), v2(n);
  for (size_t i = 0; i < n; i++) k[i] = (uint16_t)generator(), v[i] = (uint16_t)generator();
  kv_from_rows(s, a.blocks[0], 1, kBlockTokens, k.data(), v.data());
  kv_to_rows(s, a.blocks[0], 1, kBlockTokens, k2.data(), v2.data());
  check(k == k2 && v == v2, "KV rows survive the way into a block and back");
  for (int tokens : {1, 2, 15, 16, 17, 33, 100, 255, 256}) test_block_rows(s, tokens);
}

static void test_halves() {
  bool ok = true;
  for (int i = 0; i < 65536; i++) {
    float f = half_to_float((uint16_t)i);
    ok &= (f != f) || float_to_half(f) == i;
  }
  check(ok, "every f16 survives the way to float and back");
}

static void test_isa(Isa isa, int threads) {
  pool_resize(threads);
  const Kernels& k = kernels(isa);
  context = std::string(k.name) + " threads " + std::to_string(threads);
  test_soft_cap(k);
  for (Source source : {kFromQ4_1, kFromQ4_0, kFromQ8_0, kFromF32}) {
    context = std::string(k.name) + " source " + std::to_string(source) + " threads " + std::to_string(threads);
    bool quantised = source != kFromF32;
    for (auto [rows, n, kk] : {std::array{1, 32, 32}, {5, 48, 64}, {13, 100, 96}, {37, 576, 576}, {70, 33, 704}, {300, 64, 1536}})
      test_linear(k, source, rows, n, kk);
    if (!quantised)
      for (auto [rows, n, kk] : {std::array{3, 7, 5}, {29, 50, 33}, {50, 130, 100}}) test_linear(k, source, rows, n, kk);
    for (auto [rows, n, kk] : {std::array{1, 32, 32}, {13, 100, 96}, {70, 33, 704}}) test_linear_norm(k, source, rows, n, kk);
    for (Gate gate : {kSiLU, kGELUTanh}) {
      test_gate_up(k, source, gate, 19, 96, 64);
      test_gate_up(k, source, gate, 3, quantised ? 64 : 40, 160);
    }
    test_embed(k, source);
    test_head(k, source, 3, 1000, 576);
    test_attention(k, {9, 3, 64}, 192, source, 290);
    test_attention(k, {4, 1, 32}, 64, source, 33);
    test_attention(k, {5, 5, 128}, 128, source, 140);
    if (!quantised) {
      test_attention(k, {6, 1, 16}, 40, source, 70);
      test_attention(k, {2, 2, 80}, 96, source, 530);
    }
    test_attention(k, {4, 2, 32}, 64, source, 300, 0.3f);
    for (int window : {1, 48, 128, 256, 300}) test_attention(k, {4, 2, 32}, 64, source, 530, window == 48 ? 0.3f : 0, window);
  }
}

int main(int argc, char** argv) {
  const char* names[] = {"plain", "avx2", "avx512", "amx"};
  test_halves();
  test_rows({4, 2, 64});
  test_rows({4, 3, 80});
  std::string ran;
  for (Isa isa : {kPlain, kAvx2, kAvx512, kAmx}) {
    bool wanted = argc < 2;
    for (int i = 1; i < argc; i++) wanted |= !strcmp(argv[i], names[isa]);
    if (!wanted) continue;
    if (!isa_supported(isa)) {
      printf("kernels: %s is not on this processor\n", names[isa]);
      if (argc >= 2) failed++;
      continue;
    }
    for (int threads : {1, 2, 3}) {
      generator.seed(7);
      test_isa(isa, threads);
    }
    ran += std::string(" ") + names[isa];
  }
  printf("kernels:%s: %d passed, %d failed\n", ran.c_str(), passed, failed);
  return failed > 0;
}
