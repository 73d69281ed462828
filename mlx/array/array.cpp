// Stock MLX operators behind the flat face of array.h.
#include "array.h"

#ifdef __linux__
#include <malloc.h>
#endif

#include <atomic>
#include <cstring>
#include <stdexcept>

#include "guard.h"
#include "mlx/memory.h"

namespace am {

std::string& last_error() {
  thread_local std::string text;
  return text;
}

namespace {
std::atomic<size_t> active_limit{0};
mx::Shape shape_of(const int* s, int n) { return mx::Shape(s, s + n); }
}  // namespace

mx::Dtype dtype_of(int code) {
  switch (code) {
    case AM_FLOAT32: return mx::float32;
    case AM_BFLOAT16: return mx::bfloat16;
    case AM_FLOAT16: return mx::float16;
    case AM_INT32: return mx::int32;
    case AM_UINT32: return mx::uint32;
    case AM_UINT16: return mx::uint16;
    case AM_BOOL: return mx::bool_;
    default: throw std::invalid_argument("unknown dtype code " + std::to_string(code));
  }
}

int code_of(mx::Dtype d) {
  for (int i = 0; i < AM_DTYPES; i++)
    if (dtype_of(i) == d) return i;
  return -1;
}

std::string describe(const mx::array& a) {
  static const char* names[] = {"float32", "bfloat16", "float16", "int32", "uint32", "uint16", "bool"};
  int code = code_of(a.dtype());
  std::string s = code < 0 ? "other" : names[code];
  s += '[';
  for (size_t i = 0; i < a.ndim(); i++) s += (i ? "," : "") + std::to_string(a.shape((int)i));
  return s + "]";
}

void reserve(size_t bytes) {
  size_t limit = active_limit, active = mx::get_active_memory();
  if (limit && active + bytes > limit)
    throw std::runtime_error(std::to_string(bytes) + " bytes asked for with " + std::to_string(active) +
                             " in use would pass the memory limit of " + std::to_string(limit));
}

}  // namespace am

using namespace am;

extern "C" {

const char* am_error(void) { return last_error().c_str(); }

int am_device_open(int gpu) {
  return guard(1, gpu ? "open gpu" : "open cpu", {}, [&] {
    mx::Device d(gpu ? mx::Device::gpu : mx::Device::cpu);
    if (!mx::is_available(d)) throw std::runtime_error("MLX finds no such device");
    mx::set_default_device(d);
    mx::default_stream(d);
    if (!gpu) mx::disable_compile();  // on the CPU it would call a compiler at run time
    return 0;
  });
}

int am_gpu_available(void) { return mx::is_available(mx::Device(mx::Device::gpu)); }
size_t am_active_memory(void) { return mx::get_active_memory(); }

int am_set_limits(size_t active, size_t cache) {
  return guard(1, "set limits", {}, [&] {
    active_limit = active;
    mx::set_cache_limit(cache);
    return 0;
  });
}

void am_give_back(void) {
  mx::clear_cache();
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

am_array* am_from_data(const void* data, const int* shape, int ndim, int dtype) {
  return guard((am_array*)nullptr, "from_data", {}, [&] {
    mx::Shape s = shape_of(shape, ndim);
    size_t n = mx::size_of(dtype_of(dtype));
    for (int d : s) n *= (size_t)d;
    reserve(n);
    auto buffer = mx::allocator::malloc(n ? n : 1);
    memcpy(buffer.buffer().raw_ptr(), data, n);
    return out(mx::array(std::move(buffer), s, dtype_of(dtype)));
  });
}

void am_free(am_array* a) { delete reinterpret_cast<mx::array*>(a); }

int am_eval(am_array** arrays, int n) {
  return guard(1, "eval", {}, [&] {
    std::vector<mx::array> all;
    all.reserve(n);
    for (int i = 0; i < n; i++) all.push_back(in(arrays[i]));
    mx::eval(std::move(all));
    return 0;
  });
}

int am_ndim(const am_array* a) { return (int)in(a).ndim(); }
int am_dim(const am_array* a, int axis) { return axis < 0 || axis >= (int)in(a).ndim() ? -1 : in(a).shape(axis); }
int am_dtype(const am_array* a) { return code_of(in(a).dtype()); }
size_t am_size(const am_array* a) { return in(a).size(); }

const void* am_data(am_array* a) {
  return guard((const void*)nullptr, "data", {a}, [&]() -> const void* {
    mx::array& x = in(a);
    mx::eval(x);
    if (!x.flags().row_contiguous) {
      x = mx::contiguous(x);
      mx::eval(x);
    }
    return x.data<void>();
  });
}

int am_describe(const am_array* a, char* text, size_t n) { return snprintf(text, n, "%s", describe(in(a)).c_str()); }

am_array* am_binary(int op, const am_array* a, const am_array* b) {
  static const char* names[] = {"add", "multiply", "matmul", "less_equal"};
  return guard((am_array*)nullptr, op >= 0 && op < AM_BINARIES ? names[op] : "binary", {a, b}, [&] {
    switch (op) {
      case AM_ADD: return out(mx::add(in(a), in(b)));
      case AM_MULTIPLY: return out(mx::multiply(in(a), in(b)));
      case AM_MATMUL: return out(mx::matmul(in(a), in(b)));
      case AM_LESS_EQUAL: return out(mx::less_equal(in(a), in(b)));
      default: throw std::invalid_argument("unknown operator");
    }
  });
}

am_array* am_unary(int op, const am_array* a) {
  static const char* names[] = {"sigmoid", "contiguous", "tanh"};
  return guard((am_array*)nullptr, op >= 0 && op < AM_UNARIES ? names[op] : "unary", {a}, [&] {
    switch (op) {
      case AM_SIGMOID: return out(mx::sigmoid(in(a)));
      case AM_CONTIGUOUS: return out(mx::contiguous(in(a)));
      case AM_TANH: return out(mx::tanh(in(a)));
      default: throw std::invalid_argument("unknown operator");
    }
  });
}

am_array* am_astype(const am_array* a, int dtype) {
  return guard((am_array*)nullptr, "astype", {a}, [&] { return out(mx::astype(in(a), dtype_of(dtype))); });
}

am_array* am_reshape(const am_array* a, const int* shape, int ndim) {
  return guard((am_array*)nullptr, "reshape", {a}, [&] { return out(mx::reshape(in(a), shape_of(shape, ndim))); });
}

am_array* am_transpose(const am_array* a, const int* axes, int ndim) {
  return guard((am_array*)nullptr, "transpose", {a}, [&] { return out(mx::transpose(in(a), std::vector<int>(axes, axes + ndim))); });
}

am_array* am_slice(const am_array* a, const int* start, const int* stop, int ndim) {
  return guard((am_array*)nullptr, "slice", {a}, [&] { return out(mx::slice(in(a), shape_of(start, ndim), shape_of(stop, ndim))); });
}

am_array* am_slice_update(const am_array* a, const am_array* update, const int* start, const int* stop, int ndim) {
  return guard((am_array*)nullptr, "slice_update", {a, update}, [&] {
    return out(mx::slice_update(in(a), in(update), shape_of(start, ndim), shape_of(stop, ndim)));
  });
}

am_array* am_concat(am_array* const* arrays, int n, int axis) {
  return guard((am_array*)nullptr, "concatenate", {n ? arrays[0] : nullptr}, [&] {
    std::vector<mx::array> all;
    all.reserve(n);
    for (int i = 0; i < n; i++) all.push_back(in(arrays[i]));
    return out(mx::concatenate(std::move(all), axis));
  });
}

am_array* am_take(const am_array* a, const am_array* indices, int axis) {
  return guard((am_array*)nullptr, "take", {a, indices}, [&] { return out(mx::take(in(a), in(indices), axis)); });
}

am_array* am_take_along(const am_array* a, const am_array* indices, int axis) {
  return guard((am_array*)nullptr, "take_along", {a, indices}, [&] { return out(mx::take_along_axis(in(a), in(indices), axis)); });
}

am_array* am_argsort(const am_array* a, int axis) {
  return guard((am_array*)nullptr, "argsort", {a}, [&] { return out(mx::argsort(in(a), axis)); });
}

am_array* am_sum(const am_array* a, int axis) {
  return guard((am_array*)nullptr, "sum", {a}, [&] { return out(mx::sum(in(a), axis)); });
}

am_array* am_gather_matmul(const am_array* a, const am_array* b, const am_array* indices) {
  return guard((am_array*)nullptr, "gather_matmul", {a, b, indices},
               [&] { return out(mx::gather_mm(in(a), in(b), std::nullopt, in(indices))); });
}

am_array* am_softmax(const am_array* a, int axis) {
  return guard((am_array*)nullptr, "softmax", {a}, [&] { return out(mx::softmax(in(a), axis, true)); });
}

am_array* am_rms_norm(const am_array* x, const am_array* w, float eps) {
  return guard((am_array*)nullptr, "rms_norm", {x, w}, [&] { return out(mx::fast::rms_norm(in(x), in(w), eps)); });
}

am_array* am_rotate(const am_array* x, int dims, float scale, int offset, const am_array* freqs) {
  return guard((am_array*)nullptr, "rope", {x, freqs}, [&] {
    return out(mx::fast::rope(in(x), dims, false, std::nullopt, scale, offset, in(freqs)));
  });
}

am_array* am_attention(const am_array* q, const am_array* k, const am_array* v, float scale, const am_array* mask) {
  return guard((am_array*)nullptr, "attention", {q, k, v, mask}, [&] {
    std::optional<mx::array> m;
    if (mask) m = in(mask);
    return out(mx::fast::scaled_dot_product_attention(in(q), in(k), in(v), scale, mask ? "array" : "", m));
  });
}

}  // extern "C"
