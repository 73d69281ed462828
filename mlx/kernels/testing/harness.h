// What all tests of the kernels stand on: checks that are counted, seeded numbers, packed matrices, rows as a
// phase takes them.
#pragma once
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
    size_t block = source_row_bytes(source, kGroup);
    for (size_t i = 0; i < raw.size(); i += block) {
      uint16_t d = float_to_half(source == kFromQ8_0 ? 0.0005f : source == kFromQ4_0 || source == kFromQ4_1 ? 0.008f : 0.004f);
      uint16_t m = float_to_half(-0.06f), second = float_to_half(-0.002f);
      memcpy(&raw[i], &d, 2);
      if (source == kFromQ4_1 || source == kFromQ5_1) memcpy(&raw[i + 2], &m, 2);
      if (source != kFromQ6) continue;
      memcpy(&raw[i + 2], &second, 2);
      for (int j = 4; j < 4 + kGroup; j++) raw[i + j] = (uint8_t)((raw[i + j] & 63) - kQ6Zero);
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

static Floats linear(const Kernels& k, Phase phase, const Floats& x, const Matrix& w, const Floats& res, int first, int count,
                     const float* bias = nullptr) {
  Floats out((size_t)count * w.n);
  int padded = w.k_padded();
  Floats part(x.begin() + (size_t)first * w.k, x.begin() + (size_t)(first + count) * w.k);
  if (phase == kPrefill)
    k.linear_residual(phase, bf16_rows(part, count, w.k, padded).data(), {&w, bias}, res.data() + (size_t)first * w.n, count, out.data());
  else
    k.linear_residual(phase, padded_rows(part, count, w.k, padded).data(), {&w, bias}, res.data() + (size_t)first * w.n, count, out.data());
  return out;
}
