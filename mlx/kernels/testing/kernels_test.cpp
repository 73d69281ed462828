// Tests of the kernels: each against its plain reference over many shapes, and the numeric contract bit for
// bit. Every instruction set that the processor has is tested; `kernels_test ISA...` demands the named ones.
#include "attention_tests.h"
#include "harness.h"

static void test_linear(const Kernels& k, Source source, int rows, int n, int kk, const float* bias = nullptr) {
  OwnedMatrix w(n, kk, source);
  Floats x = random_floats((size_t)rows * kk, 1), res = random_floats((size_t)rows * n, 1);
  reference::Rows in(rows, std::vector<double>(kk));
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < kk; i++) in[r][i] = x[(size_t)r * kk + i];
  auto want = reference::product(in, w);
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < n; i++) want[r][i] += res[(size_t)r * n + i] + (bias ? bias[i] : 0);
  for (Phase phase : {kPrefill, kDecode}) {
    Floats all = linear(k, phase, x, w, res, 0, rows, bias);
    double e = error_of(want, [&](int r, int i) { return all[(size_t)r * n + i]; });
    check(e < (phase == kPrefill || w.format == kBF16 ? 0.01 : 0.0005), "linear_residual is near its reference");
    for (int r = 0; r < rows; r += 1 + rows / 3) {
      Floats one = linear(k, phase, x, w, res, r, 1, bias);
      check(!memcmp(one.data(), &all[(size_t)r * n], (size_t)n * 4), "linear_residual: a row alone is the row among others");
    }
  }
}

static void test_linear_norm(const Kernels& k, Source source, int rows, int n, int kk, const float* bias = nullptr) {
  OwnedMatrix w(n, kk, source);
  int padded = w.k_padded();
  Floats x = random_floats((size_t)rows * kk, 1), res = random_floats((size_t)rows * n, 1), norm = random_floats(n, 1), zeros((size_t)rows * n);
  Shorts prefill = bf16_rows(x, rows, kk, padded);
  Floats decode = padded_rows(x, rows, kk, padded);
  for (Phase phase : {kPrefill, kDecode}) {
    const void* in = phase == kPrefill ? (const void*)prefill.data() : decode.data();
    Floats product = linear(k, phase, x, w, zeros, 0, rows, bias), out((size_t)rows * n);
    auto want = reference::rms_norm(product.data(), norm.data(), 1e-6, rows, n);
    k.linear_norm_residual(phase, in, {&w, bias}, {norm.data(), 1e-6f}, res.data(), rows, out.data());
    double e = error_of(want, [&](int r, int i) { return out[(size_t)r * n + i] - res[(size_t)r * n + i]; });
    check(e < 1e-5, "linear_norm_residual is the product, normed, added");
    for (int r = 0; r < rows; r += 1 + rows / 3) {
      Floats one(n);
      size_t at = (size_t)r * padded;
      const void* row = phase == kPrefill ? (const void*)(prefill.data() + at) : decode.data() + at;
      k.linear_norm_residual(phase, row, {&w, bias}, {norm.data(), 1e-6f}, &res[(size_t)r * n], 1, one.data());
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
  k.norm_gate_up(kPrefill, gate, h.data(), {norm.data(), 1e-5f}, w, rows, p.data());
  check(error_of(want, [&](int r, int i) { return bf16_to_float(p[(size_t)r * width + i]); }) < 0.03, "norm_gate_up of a prefill");
  Floats g((size_t)rows * width);
  k.norm_gate_up(kDecode, gate, h.data(), {norm.data(), 1e-5f}, w, rows, g.data());
  check(error_of(want, [&](int r, int i) { return g[(size_t)r * width + i]; }) < (w.format == kBF16 ? 0.03 : 0.001), "norm_gate_up of a decode");
}

static void test_head(const Kernels& k, Source source, int rows, int n, int kk) {
  OwnedMatrix w(n, kk, source);
  Floats h = random_floats((size_t)rows * kk, 3), norm = random_floats(kk, 1), out((size_t)rows * n);
  k.norm_head(h.data(), {norm.data(), 1e-5f}, w, rows, out.data());
  auto want = reference::product(reference::rms_norm(h.data(), norm.data(), 1e-5, rows, kk), w);
  check(error_of(want, [&](int r, int i) { return out[(size_t)r * n + i]; }) < (w.format == kBF16 ? 0.01 : 0.0005), "norm_head");
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

// Within half a step and the roundings of bf16; constant groups are exact; what is not finite harms no
// neighbour.
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
  for (Source source : {kFromQ4_1, kFromQ4_0, kFromQ5_1, kFromQ6, kFromQ8_0, kFromF32}) {
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
      test_attention(k, {2, 1, 520}, 64, source, 40);
    }
    test_attention(k, {4, 2, 32}, 64, source, 300, {.cap = 0.3f});
    for (int window : {1, 48, 128, 256, 300}) test_attention(k, {4, 2, 32}, 64, source, 530, {.cap = window == 48 ? 0.3f : 0, .window = window});
  }
}

// What only some families have: biases, and norms of queries and keys, each alone and together.
static void test_optional_parts(const Kernels& k, int threads) {
  generator.seed(11);
  for (Source source : {kFromQ4_1, kFromQ5_1, kFromQ6, kFromQ8_0, kFromF32}) {
    context = std::string(k.name) + " optional parts, source " + std::to_string(source) + " threads " + std::to_string(threads);
    Floats bias = random_floats(128, 1);
    for (auto [rows, n, kk] : {std::array{1, 32, 32}, {13, 100, 96}, {70, 33, 704}}) {
      test_linear(k, source, rows, n, kk, bias.data());
      test_linear_norm(k, source, rows, n, kk, bias.data());
    }
    for (Parts parts : {Parts{true, false}, {false, true}, {true, true}}) {
      test_attention(k, {9, 3, 64}, 192, source, 290, {.parts = parts});
      test_attention(k, {4, 1, 32}, 64, source, 33, {.cap = 0.3f, .parts = parts});
      test_attention(k, {2, 1, 80}, 96, source, 300, {.window = 48, .parts = parts});
      test_attention(k, {3, 1, 18}, 64, source, 70, {.parts = parts});
    }
  }
}

int main(int argc, char** argv) {
  test_halves();
  test_rows({4, 2, 64});
  test_rows({4, 3, 80});
  for (int dim : {520, 1000, 1023, kMaxHeadDim})  // one group, up to the largest
    for (int bits : {8, 4}) test_quantised_rows({1, 1, dim}, bits);
  std::string ran;
  for (Isa isa : {kPlain, kAvx2, kAvx512, kAmx}) {
    bool wanted = argc < 2;
    for (int i = 1; i < argc; i++) wanted |= !strcmp(argv[i], kIsaNames[isa]);
    if (!wanted) continue;
    if (!isa_supported(isa)) {
      printf("kernels: %s is not on this processor\n", kIsaNames[isa]);
      if (argc >= 2) failed++;
      continue;
    }
    for (int threads : {1, 2, 3}) {
#ifdef __SANITIZE_THREAD__
      if (threads == 1) continue;  // nothing can race
#endif
      generator.seed(7);
      test_isa(isa, threads);
      test_optional_parts(kernels(isa), threads);
    }
    ran += std::string(" ") + kIsaNames[isa];
  }
  printf("kernels:%s: %d passed, %d failed\n", ran.c_str(), passed, failed);
  return failed > 0;
}
