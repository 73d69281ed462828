// Plain references of the kernels, in double precision and straight from the formulas. Slow and obviously
// right.
#pragma once
#include <cmath>
#include <vector>

#include "../kernels.h"

namespace reference {

using Rows = std::vector<std::vector<double>>;

// x / rms(x) * w (Zhang and Sennrich, Root Mean Square Layer Normalization).
inline Rows rms_norm(const float* h, const float* w, double eps, int rows, int k) {
  Rows out(rows, std::vector<double>(k));
  for (int r = 0; r < rows; r++) {
    double s = 0;
    for (int i = 0; i < k; i++) s += (double)h[r * k + i] * h[r * k + i];
    for (int i = 0; i < k; i++) out[r][i] = h[r * k + i] / std::sqrt(s / k + eps) * w[i];
  }
  return out;
}

// The same of one head, in place.
inline void norm_head(double* x, const float* w, double eps, int dim) {
  double s = 0;
  for (int i = 0; i < dim; i++) s += x[i] * x[i];
  double r = 1 / std::sqrt(s / dim + eps);
  for (int i = 0; i < dim; i++) x[i] *= r * w[i];
}

inline Rows product(const Rows& x, const am::Matrix& w) {
  Rows out(x.size(), std::vector<double>(w.n));
  std::vector<float> column(w.k);
  for (int n = 0; n < w.n; n++) {
    am::unpack_column(w, n, column.data());
    for (size_t r = 0; r < x.size(); r++)
      for (int k = 0; k < w.k; k++) out[r][n] += x[r][k] * column[k];
  }
  return out;
}

inline double gate(am::Gate gate, double x) {
  if (gate == am::kSiLU) return x / (1 + std::exp(-x));
  return x / 2 * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

// Rotates the pairs (i, i + half) of a head (Su et al., RoFormer, in halves as Llama has it).
inline void rope(double* x, am::Rope rope, int position) {
  for (int i = 0; i < rope.half; i++) {
    double c = rope.cos[position * rope.half + i], s = rope.sin[position * rope.half + i], a = x[i], b = x[rope.half + i];
    x[i] = a * c - b * s;
    x[rope.half + i] = b * c + a * s;
  }
}

// The query at a position over the keys and values that it sees.
inline std::vector<double> attention(const std::vector<double>& q, const Rows& keys, const Rows& values, am::Scoring scoring, int position) {
  int from = scoring.window && position >= scoring.window ? position + 1 - scoring.window : 0;
  std::vector<double> p(position + 1), out(q.size());
  double top = -1e300, total = 0;
  for (int t = from; t <= position; t++) {
    for (size_t d = 0; d < q.size(); d++) p[t] += q[d] * keys[t][d];
    p[t] *= scoring.scale;
    if (scoring.cap > 0) p[t] = scoring.cap * std::tanh(p[t] / scoring.cap);
    top = std::max(top, p[t]);
  }
  for (int t = from; t <= position; t++) total += p[t] = std::exp(p[t] - top);
  for (int t = from; t <= position; t++)
    for (size_t d = 0; d < q.size(); d++) out[d] += p[t] / total * values[t][d];
  return out;
}

}  // namespace reference
