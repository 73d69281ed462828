// Tests of queries, keys, values and attention over paged KV.
#pragma once
#include "harness.h"

// What of a projection only some families have.
struct Parts {
  bool norms = false, bias = false;  // of queries and keys; of queries, keys and values
};

struct Variant {
  float cap = 0;
  int window = 0;
  Parts parts = {};
};

// A layer's attention over a paged cache: writes through norm_qkv_rope in pieces, compares with the
// reference.
struct Paged {
  HeadShape s;
  Scoring scoring;
  int kk;
  OwnedMatrix w;
  Floats norm, cos, sin, q_norm, k_norm, bias;
  Rope rope;
  static constexpr size_t kLayers = 2, kLayer = 1;

  Paged(HeadShape shape, Scoring scoring_, Parts parts, int k_, Source source, int tokens)
      : s(shape), scoring(scoring_), kk(k_), w((shape.heads + 2 * shape.kv_heads) * shape.head_dim, k_, source), norm(random_floats(k_, 0.5f)) {
    rope.half = s.head_dim / 2;
    cos.resize((size_t)tokens * rope.half), sin.resize(cos.size());
    for (int t = 0; t < tokens; t++)
      for (int i = 0; i < rope.half; i++) {
        double a = t * std::pow(10000.0, -(double)i / rope.half);
        cos[(size_t)t * rope.half + i] = (float)std::cos(a), sin[(size_t)t * rope.half + i] = (float)std::sin(a);
      }
    rope.cos = cos.data(), rope.sin = sin.data();
    if (parts.norms) q_norm = random_floats(s.head_dim, 1), k_norm = random_floats(s.head_dim, 1);
    if (parts.bias) bias = random_floats(w.n, 1);
  }

  Projection projection() const {
    auto or_null = [](const Floats& x) { return x.empty() ? nullptr : x.data(); };
    return {{norm.data(), 1e-5f}, {&w, or_null(bias)}, or_null(q_norm), or_null(k_norm), s, rope};
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

  // Computes rows [from, from + n) of h in a prefill; returns the attention's output rows.
  Shorts prefill(const Kernels& k, Cache& c, const Floats& h, int from, int n) {
    Sequence seq{c.blocks.data(), from, n};
    Shorts q((size_t)(n + kRowSlack) * s.q_width()), out((size_t)n * width());
    Pages pages{&seq, 1, kLayer};
    k.norm_qkv_rope(kPrefill, &h[(size_t)from * kk], projection(), pages, q.data());
    k.attention(kPrefill, q.data(), s, scoring, pages, out.data());
    return out;
  }

  // Computes the row behind each cache's tokens as one batch of a decode.
  Floats decode(const Kernels& k, std::vector<Cache*> caches, const Floats& rows, const std::vector<int>& at) {
    int n = (int)caches.size();
    std::vector<Sequence> seqs;
    for (int i = 0; i < n; i++) seqs.push_back({caches[i]->blocks.data(), at[i], 1});
    Shorts q((size_t)(n + kRowSlack) * s.q_width());
    Floats out((size_t)n * width());
    Pages pages{seqs.data(), n, kLayer};
    k.norm_qkv_rope(kDecode, rows.data(), projection(), pages, q.data());
    k.attention(kDecode, q.data(), s, scoring, pages, out.data());
    return out;
  }

  reference::Rows expected(const Floats& h, int tokens) {
    auto qkv = reference::product(reference::rms_norm(h.data(), norm.data(), 1e-5, tokens, kk), w);
    int hd = s.head_dim, group = s.heads / s.kv_heads;
    for (int t = 0; t < tokens; t++) {
      for (size_t i = 0; i < bias.size(); i++) qkv[t][i] += bias[i];
      for (int i = 0; i < s.heads + s.kv_heads; i++) {
        if (!q_norm.empty()) reference::norm_head(&qkv[t][i * hd], (i < s.heads ? q_norm : k_norm).data(), 1e-5, hd);
        reference::rope(&qkv[t][i * hd], rope, t);
      }
    }
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

static void test_attention(const Kernels& k, HeadShape s, int kk, Source source, int tokens, Variant variant = {}) {
  Paged p(s, {1 / std::sqrt((float)s.head_dim), variant.cap, variant.window}, variant.parts, kk, source, tokens + 8);
  Floats h = random_floats((size_t)(tokens + 8) * kk, 1);
  auto want = p.expected(h, tokens);
  Paged::Cache whole(s, tokens + 8), pieces(s, tokens + 8);
  Shorts all = p.prefill(k, whole, h, 0, tokens);
  int width = p.width();
  double e = error_of(want, [&](int r, int i) { return bf16_to_float(all[(size_t)r * width + i]); });
  check(e < 0.03, "attention of a prefill is near its reference");
  size_t done = 0;
  for (int from = 0, step = 1; from < tokens; from += step, step = step * 3 % 97 + 1) {
    int n = std::min(step, tokens - from);
    Shorts part = p.prefill(k, pieces, h, from, n);
    done += !memcmp(part.data(), &all[(size_t)from * width], part.size() * 2) ? n : 0;
  }
  check((int)done == tokens, "attention: chunk borders change no bit of the output");
  size_t block = Paged::kLayers * s.layer_elements() * 2;
  bool same = true;
  for (size_t i = 0; i < whole.blocks.size(); i++) same &= !memcmp(whole.blocks[i], pieces.blocks[i], block);
  check(same, "norm_qkv_rope: chunk borders change no bit of the KV");

  Floats next(h.begin() + (size_t)tokens * kk, h.begin() + (size_t)(tokens + 1) * kk), longer = h;
  auto wanted = p.expected(h, tokens + 1);
  Floats one = p.decode(k, {&whole}, next, {tokens});
  double g = error_of({wanted[tokens]}, [&](int, int i) { return one[i]; });
  check(g < 0.03, "attention of a decode is near its reference");
  Paged::Cache mate(s, 300);
  p.prefill(k, mate, h, 0, std::min(tokens, 5));
  Floats two(next);
  two.insert(two.begin(), h.begin(), h.begin() + kk);
  Floats batch = p.decode(k, {&mate, &pieces}, two, {std::min(tokens, 5), tokens});
  check(!memcmp(&batch[width], one.data(), (size_t)width * 4), "attention: batch mates change no bit");
}
