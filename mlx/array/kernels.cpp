// The own kernels as MLX primitives on the CPU's stream.
#include "../kernels/kernels.h"

#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>

#include "../kernels/threads.h"
#include "guard.h"
#include "mlx/backend/cpu/encoder.h"
#include "mlx/primitives.h"

namespace am {
namespace {

struct OwnedMatrix : Matrix {
  ~OwnedMatrix() { pages_free(data); }
};
using SharedMatrix = std::shared_ptr<OwnedMatrix>;

struct RopeTable {
  std::vector<float> cos, sin;
  int positions, half;
  Rope view() const { return {cos.data(), sin.data(), half}; }
};
using SharedRope = std::shared_ptr<RopeTable>;

struct Batch {
  Phase phase;
  int rows = 0;
  std::vector<std::vector<uint16_t*>> tables;
  std::vector<Sequence> seqs;
  // The rows' KV; every row must belong to a sequence.
  Pages pages(int layer) const {
    Pages p{seqs.data(), (int)seqs.size(), (size_t)layer};
    if (p.rows() != rows) throw std::invalid_argument("the batch has rows of no sequence, which have no KV");
    return p;
  }
};
using SharedBatch = std::shared_ptr<Batch>;

using Pointers = std::vector<const void*>;
using Body = std::function<void(const Pointers& inputs, void* output)>;

// One kernel call as a node of MLX's graph. What the body captures lives until it has run.
class KernelCall : public mx::UnaryPrimitive {
 public:
  KernelCall(mx::Stream s, const char* name, size_t slack, Body body)
      : UnaryPrimitive(s), name_(name), slack_(slack), body_(std::move(body)) {}
  const char* name() const override { return name_; }
  void eval_gpu(const std::vector<mx::array>&, mx::array&) override {
    throw std::runtime_error("own kernels run on the CPU only");
  }

  void eval_cpu(const std::vector<mx::array>& inputs, mx::array& output) override {
    allocate(output);
    Pointers pointers;
    for (const auto& a : inputs) pointers.push_back(a.data<void>());
    mx::cpu::get_command_encoder(stream()).dispatch(
        [body = body_, pointers = std::move(pointers), o = output.data<void>()] { body(pointers, o); });
  }

 private:
  // MLX's memory is 8 past a multiple of 16; kernels like cache lines. slack_ bytes behind the array stay
  // readable.
  void allocate(mx::array& a) {
    reserve(a.nbytes() + kCacheLine + slack_);
    auto data = mx::allocator::malloc(a.nbytes() + kCacheLine + slack_);
    size_t offset = (kCacheLine - (uintptr_t)data.buffer().raw_ptr() % kCacheLine) % kCacheLine;
    mx::Strides strides(a.ndim(), 1);
    for (int i = (int)a.ndim() - 2; i >= 0; i--) strides[i] = strides[i + 1] * a.shape(i + 1);
    a.set_data(std::move(data), a.size(), strides, {true, true, a.ndim() <= 1}, offset);
  }

  const char* name_;
  size_t slack_;
  Body body_;
};

am_array* call(const char* name, mx::Shape shape, mx::Dtype dtype, std::vector<mx::array> inputs, Body body) {
  size_t slack = dtype == mx::bfloat16 ? (size_t)kRowSlack * shape.back() * 2 : 0;
  auto stream = mx::default_stream(mx::Device(mx::Device::cpu));
  return out(mx::array(std::move(shape), dtype, std::make_shared<KernelCall>(stream, name, slack, std::move(body)), std::move(inputs)));
}

void expect(bool ok, const std::string& what) {
  if (!ok) throw std::invalid_argument(what);
}

void expect_shape(const mx::array& a, const mx::Shape& shape, mx::Dtype dtype, const char* what) {
  if (a.shape() == shape && a.dtype() == dtype) return;
  std::string s;
  for (int d : shape) s += (s.empty() ? "" : ",") + std::to_string(d);
  throw std::invalid_argument(std::string(what) + " must be [" + s + "] of the kernel's type and is " + describe(a));
}

mx::Dtype input_type(const Batch& b) { return b.phase == kPrefill ? mx::bfloat16 : mx::float32; }

// A kernel's arrays in order. Optional ones are added where they exist, and found again by their place, -1
// for none.
struct Inputs {
  template <class... A>
  explicit Inputs(const A&... always) : all{always...} {}

  int row(const am_array* a, int n, const char* what) {
    if (!a) return -1;
    expect_shape(in(a), {n}, mx::float32, what);
    all.push_back(in(a));
    return (int)all.size() - 1;
  }
  std::vector<mx::array> all;
};

const float* at(const Pointers& p, int place) { return place < 0 ? nullptr : (const float*)p[place]; }

HeadShape shape_of(am_heads h) { return {h.heads, h.kv_heads, h.head_dim}; }

}  // namespace

static const SharedMatrix& in(const am_matrix* m) { return *reinterpret_cast<const SharedMatrix*>(m); }
static const SharedRope& in(const am_rope* r) { return *reinterpret_cast<const SharedRope*>(r); }
static const SharedBatch& in(const am_batch* b) { return *reinterpret_cast<const SharedBatch*>(b); }
static const Kernels& in(const void* k) { return *static_cast<const Kernels*>(k); }

}  // namespace am

using namespace am;

extern "C" {

const void* am_kernels_open(const char* isa, int threads) {
  return guard((const void*)nullptr, "open kernels", {}, [&]() -> const void* {
    std::string name = isa;
    if (threads > 0) pool_resize(threads);
    if (name == "auto") return &kernels(isa_best());
    for (int i = 0; i < kIsas; i++)
      if (name == kIsaNames[i]) {
        expect(isa_supported((Isa)i), "this processor has no " + name);
        return &kernels((Isa)i);
      }
    throw std::invalid_argument("unknown instruction set " + name + "; known are auto, plain, avx2, avx512, amx");
  });
}

const char* am_kernels_name(const void* k) { return am::in(k).name; }

am_matrix* am_matrix_new(int n, int k, int source) {
  return guard((am_matrix*)nullptr, "new matrix", {}, [&] {
    expect(n > 0 && k > 0 && source >= kFromF32 && source < kSources, "no such shape or source");
    auto m = std::make_shared<OwnedMatrix>();
    m->n = n, m->k = k, m->format = format_for((Source)source);
    expect(m->format == kBF16 || k % kGroup == 0, "quantised rows must be a multiple of 32 long, not " + std::to_string(k));
    m->data = (uint8_t*)pages_alloc(m->bytes() + kReadAhead);
    return reinterpret_cast<am_matrix*>(new SharedMatrix(std::move(m)));
  });
}

int am_matrix_pack(am_matrix* m, int source, const void* rows, int count, const int32_t* columns) {
  return guard(1, "pack", {}, [&] {
    const Matrix& w = *am::in(m);
    expect(format_for((Source)source) == w.format, "rows of another format than the matrix");
    for (int i = 0; i < count; i++) expect(columns[i] >= 0 && columns[i] < w.n, "column outside the matrix");
    pack_rows(w, (Source)source, (const uint8_t*)rows, count, columns);
    return 0;
  });
}

int am_matrix_column(const am_matrix* m, int n, float* o) {
  return guard(1, "column", {}, [&] {
    expect(n >= 0 && n < am::in(m)->n, "column outside the matrix");
    unpack_column(*am::in(m), n, o);
    return 0;
  });
}

size_t am_matrix_bytes(const am_matrix* m) { return am::in(m)->bytes(); }
void am_matrix_free(am_matrix* m) { delete reinterpret_cast<SharedMatrix*>(m); }

uint16_t* am_block_new(size_t elements) {
  return guard((uint16_t*)nullptr, "new block", {}, [&] { return (uint16_t*)pages_alloc(elements * 2 + kReadAhead); });
}
void am_block_copy(uint16_t* to, const uint16_t* from, size_t elements) { memcpy(to, from, elements * 2); }
void am_block_clear(uint16_t* b, size_t elements) { memset(b, 0, elements * 2); }
void am_block_free(uint16_t* b) { pages_free(b); }
void am_block_to_rows(const uint16_t* b, am_heads h, int layers, int tokens, void* rows) {
  am::block_to_rows(shape_of(h), b, layers, tokens, (uint16_t*)rows);
}
size_t am_rest_bytes(am_heads h, size_t n, int bits) { return am::bytes_at_rest(shape_of(h), n, bits); }
void am_rest_pack(am_heads h, const void* rows, size_t n, int bits, void* out) {
  am::quantise_rows(shape_of(h), (const uint16_t*)rows, n, bits, (uint8_t*)out);
}
void am_rest_unpack(am_heads h, const void* in, size_t n, int bits, void* rows) {
  am::restore_rows(shape_of(h), (const uint8_t*)in, n, bits, (uint16_t*)rows);
}
void am_block_from_rows(uint16_t* b, am_heads h, int layers, int tokens, const void* rows) {
  am::block_from_rows(shape_of(h), b, layers, tokens, (const uint16_t*)rows);
}

am_rope* am_rope_new(const float* cos, const float* sin, int positions, int half) {
  return guard((am_rope*)nullptr, "new rope", {}, [&] {
    size_t n = (size_t)positions * half;
    auto r = std::make_shared<RopeTable>(RopeTable{{cos, cos + n}, {sin, sin + n}, positions, half});
    return reinterpret_cast<am_rope*>(new SharedRope(std::move(r)));
  });
}
void am_rope_free(am_rope* r) { delete reinterpret_cast<SharedRope*>(r); }

am_batch* am_batch_new(int phase) {
  auto b = std::make_shared<Batch>();
  b->phase = phase == kPrefill ? kPrefill : kDecode;
  return reinterpret_cast<am_batch*>(new SharedBatch(std::move(b)));
}

int am_batch_add(am_batch* handle, uint16_t* const* blocks, int nblocks, int start, int rows) {
  return guard(1, "batch", {}, [&] {
    Batch& b = *am::in(handle);
    expect(start >= 0 && rows > 0 && (b.phase == kPrefill || rows == 1), "a sequence has one row in a decode, at least one in a prefill");
    expect((int64_t)nblocks * kBlockTokens >= (int64_t)start + rows, "the block table is shorter than the sequence");
    b.tables.emplace_back(blocks, blocks + nblocks);
    b.seqs.push_back({nullptr, start, rows});
    b.rows += rows;
    for (size_t i = 0; i < b.seqs.size(); i++) b.seqs[i].blocks = b.tables[i].data();
    return 0;
  });
}
void am_batch_add_rows(am_batch* b, int rows) { am::in(b)->rows += rows; }
void am_batch_free(am_batch* b) { delete reinterpret_cast<SharedBatch*>(b); }

am_array* am_k_embed(const void* k, const am_matrix* m, const am_array* ids, float scale) {
  return guard((am_array*)nullptr, "embed", {ids}, [&] {
    SharedMatrix w = am::in(m);
    int rows = (int)am::in(ids).size();
    expect_shape(am::in(ids), {rows}, mx::int32, "ids");
    return call("Embed", {rows, w->k}, mx::float32, {am::in(ids)}, [=, &k = am::in(k)](const Pointers& p, void* o) {
      k.embed(*w, (const int32_t*)p[0], rows, scale, (float*)o);
    });
  });
}

am_array* am_k_norm_qkv_rope(const void* k, const am_array* h, am_projection parts, const am_batch* b, int layer) {
  return guard((am_array*)nullptr, "norm_qkv_rope", {h, parts.norm.weight}, [&] {
    SharedMatrix w = am::in(parts.qkv.w);
    SharedBatch batch = am::in(b);
    SharedRope rope = am::in(parts.rope);
    HeadShape s = shape_of(parts.heads);
    expect_shape(am::in(h), {batch->rows, w->k}, mx::float32, "h");
    expect(w->n == (s.heads + 2 * s.kv_heads) * s.head_dim, "the matrix does not hold Q, K and V of these heads");
    expect(2 * rope->half <= s.head_dim, "the rotary table is wider than a head");
    for (auto& q : batch->seqs) expect(q.start + q.rows <= rope->positions, "a position is behind the rotary table");
    Inputs inputs(am::in(h));
    int norm = inputs.row(parts.norm.weight, w->k, "norm"), bias = inputs.row(parts.qkv.bias, w->n, "bias");
    int q_norm = inputs.row(parts.q_norm, s.head_dim, "q_norm"), k_norm = inputs.row(parts.k_norm, s.head_dim, "k_norm");
    expect(norm >= 0, "there is no norm");
    return call("NormQKVRope", {batch->rows, s.q_width()}, mx::bfloat16, inputs.all,
                [=, &k = am::in(k), eps = parts.norm.eps](const Pointers& p, void* o) {
                  Projection projection{{at(p, norm), eps}, {w.get(), at(p, bias)}, at(p, q_norm), at(p, k_norm), s, rope->view()};
                  k.norm_qkv_rope(batch->phase, at(p, 0), projection, batch->pages(layer), (uint16_t*)o);
                });
  });
}

am_array* am_k_attention(const void* k, const am_array* q, am_heads heads, am_scoring score, const am_batch* b, int layer) {
  return guard((am_array*)nullptr, "attention", {q}, [&] {
    SharedBatch batch = am::in(b);
    HeadShape s = shape_of(heads);
    Scoring scoring{score.scale, score.cap, score.window};
    expect(score.cap >= 0 && score.window >= 0, "a cap or window under zero");
    expect_shape(am::in(q), {batch->rows, s.q_width()}, mx::bfloat16, "q");
    return call("PagedAttention", {batch->rows, round_up(s.heads * s.head_dim, kGroup)}, input_type(*batch), {am::in(q)},
                [=, &k = am::in(k)](const Pointers& p, void* o) {
                  k.attention(batch->phase, (const uint16_t*)p[0], s, scoring, batch->pages(layer), o);
                });
  });
}

am_array* am_k_linear_residual(const void* k, const am_array* x, am_linear linear, const am_array* res, const am_batch* b) {
  return guard((am_array*)nullptr, "linear_residual", {x, res}, [&] {
    SharedMatrix w = am::in(linear.w);
    SharedBatch batch = am::in(b);
    expect_shape(am::in(x), {batch->rows, w->k_padded()}, input_type(*batch), "x");
    expect_shape(am::in(res), {batch->rows, w->n}, mx::float32, "res");
    Inputs inputs(am::in(x), am::in(res));
    int bias = inputs.row(linear.bias, w->n, "bias");
    return call("LinearResidual", {batch->rows, w->n}, mx::float32, inputs.all, [=, &k = am::in(k)](const Pointers& p, void* o) {
      k.linear_residual(batch->phase, p[0], {w.get(), at(p, bias)}, at(p, 1), batch->rows, (float*)o);
    });
  });
}

am_array* am_k_linear_norm_residual(const void* k, const am_array* x, am_linear linear, am_norm norm, const am_array* res, const am_batch* b) {
  return guard((am_array*)nullptr, "linear_norm_residual", {x, norm.weight, res}, [&] {
    SharedMatrix w = am::in(linear.w);
    SharedBatch batch = am::in(b);
    expect_shape(am::in(x), {batch->rows, w->k_padded()}, input_type(*batch), "x");
    expect_shape(am::in(res), {batch->rows, w->n}, mx::float32, "res");
    Inputs inputs(am::in(x), am::in(res));
    int bias = inputs.row(linear.bias, w->n, "bias"), weight = inputs.row(norm.weight, w->n, "norm");
    expect(weight >= 0, "there is no norm");
    return call("LinearNormResidual", {batch->rows, w->n}, mx::float32, inputs.all,
                [=, &k = am::in(k), eps = norm.eps](const Pointers& p, void* o) {
                  k.linear_norm_residual(batch->phase, p[0], {w.get(), at(p, bias)}, {at(p, weight), eps}, at(p, 1), batch->rows, (float*)o);
                });
  });
}

am_array* am_k_norm_gate_up(const void* k, int gate, const am_array* h, am_norm norm, const am_matrix* m, const am_batch* b) {
  return guard((am_array*)nullptr, "norm_gate_up", {h, norm.weight}, [&] {
    SharedMatrix w = am::in(m);
    SharedBatch batch = am::in(b);
    expect_shape(am::in(h), {batch->rows, w->k}, mx::float32, "h");
    expect_shape(am::in(norm.weight), {w->k}, mx::float32, "norm");
    expect(gate == kSiLU || gate == kGELUTanh, "no such gate");
    expect(w->n % (2 * kPanel) == 0, "gate and up must be padded to 32 columns each");
    return call("NormGateUp", {batch->rows, w->n / 2}, input_type(*batch), {am::in(h), am::in(norm.weight)},
                [=, &k = am::in(k), eps = norm.eps](const Pointers& p, void* o) {
                  k.norm_gate_up(batch->phase, (Gate)gate, at(p, 0), {at(p, 1), eps}, *w, batch->rows, o);
                });
  });
}

am_array* am_k_norm_head(const void* k, const am_array* h, am_norm norm, const am_matrix* m) {
  return guard((am_array*)nullptr, "norm_head", {h, norm.weight}, [&] {
    SharedMatrix w = am::in(m);
    expect(am::in(h).ndim() == 2, "h must have two dimensions");
    int rows = am::in(h).shape(0);
    expect_shape(am::in(h), {rows, w->k}, mx::float32, "h");
    expect_shape(am::in(norm.weight), {w->k}, mx::float32, "norm");
    return call("NormHead", {rows, w->n}, mx::float32, {mx::contiguous(am::in(h)), am::in(norm.weight)},
                [=, &k = am::in(k), eps = norm.eps](const Pointers& p, void* o) {
                  k.norm_head(at(p, 0), {at(p, 1), eps}, *w, rows, (float*)o);
                });
  });
}

am_array* am_k_soft_cap(const void* k, const am_array* x, float cap) {
  return guard((am_array*)nullptr, "soft_cap", {x}, [&] {
    mx::array from = mx::contiguous(am::in(x));
    expect(cap > 0, "the cap must be above zero");
    expect_shape(from, from.shape(), mx::float32, "x");
    return call("SoftCap", from.shape(), mx::float32, {from}, [=, &k = am::in(k), n = from.size()](const Pointers& p, void* o) {
      k.soft_cap((const float*)p[0], n, cap, (float*)o);
    });
  });
}

}  // extern "C"
