// How C++ meets Go: exceptions become a text for am_error, handles are mx::array behind an opaque name.
#pragma once
#include <string>
#include <utility>

#include "array.h"
#include "mlx/mlx.h"

namespace am {

namespace mx = mlx::core;

std::string& last_error();
mx::Dtype dtype_of(int code);
int code_of(mx::Dtype d);
std::string describe(const mx::array& a);

inline const mx::array& in(const am_array* a) { return *reinterpret_cast<const mx::array*>(a); }
inline mx::array& in(am_array* a) { return *reinterpret_cast<mx::array*>(a); }
inline am_array* out(mx::array a) { return reinterpret_cast<am_array*>(new mx::array(std::move(a))); }

// Runs f; on an exception leaves "op(shapes): reason" and returns fallback.
template <class R, class F>
R guard(R fallback, const char* op, std::initializer_list<const am_array*> arrays, F&& f) {
  std::string reason;
  try {
    return f();
  } catch (const std::exception& e) {
    reason = e.what();
  } catch (...) {
    reason = "unknown C++ exception";
  }
  std::string text = std::string(op) + "(";
  for (const am_array* a : arrays) text += (text.back() == '(' ? "" : ", ") + (a ? describe(in(a)) : std::string("none"));
  last_error() = text + "): " + reason;
  return fallback;
}

// Throws when active memory and bytes together pass the limit set by am_set_limits.
void reserve(size_t bytes);

}  // namespace am
