// What the batch norms share: sums over the rows of each channel, and what follows from them. Sums are shifted by
// the first row, so that a large mean does not eat the variance's digits, gathered in float over blocks of rows
// and in double beyond; the split over threads is fixed, so the bits are too.
#pragma once
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bf16.h"

namespace onecycle {

/** Calls body(begin, end, two sums of each channel) for blocks of rows, then adds the threads' sums in their order. */
template <typename Body>
std::vector<double> reduce_rows(int64_t rows, int64_t channels, Body body) {
  constexpr int64_t block_rows = 32;
  const int threads = omp_get_max_threads();
  std::vector<double> partial(static_cast<size_t>(threads) * 2 * channels, 0.0);
#pragma omp parallel num_threads(threads)
  {
    const int t = omp_get_thread_num();
    double* sums = partial.data() + static_cast<size_t>(t) * 2 * channels;
    std::vector<float> block(2 * channels);
    const int64_t begin = rows * t / threads, end = rows * (t + 1) / threads;
    for (int64_t r = begin; r < end; r += block_rows) {
      std::fill(block.begin(), block.end(), 0.f);
      body(r, std::min(end, r + block_rows), block.data(), block.data() + channels);
      for (int64_t i = 0; i < 2 * channels; i++) sums[i] += block[i];
    }
  }
  for (int t = 1; t < threads; t++)
    for (int64_t i = 0; i < 2 * channels; i++) partial[i] += partial[static_cast<size_t>(t) * 2 * channels + i];
  partial.resize(2 * channels);
  return partial;
}

/** Fills mean and inverse_std with what normalises: the batch's in training, else the running ones. */
template <typename T>
void statistics(const BatchNorm& bn, const T* x, float* running_mean, float* running_var, float* mean, float* inverse_std) {
  const int64_t C = bn.channels, rows = bn.rows;
  if (!bn.training) {
    for (int64_t c = 0; c < C; c++) {
      mean[c] = running_mean[c];
      inverse_std[c] = 1.f / std::sqrt(running_var[c] + bn.eps);
    }
    return;
  }
  std::vector<float> origin(C);
  for (int64_t c = 0; c < C; c++) origin[c] = to_float(x[c]);
  const float* first = origin.data();
  const auto sums = reduce_rows(rows, C, [=](int64_t begin, int64_t end, float* s, float* q) {
    int64_t r = begin;
    // four rows at a time: the sums are read and written once for all
    for (; r + 4 <= end; r += 4) {
      const T* row = x + r * C;
#pragma omp simd
      for (int64_t c = 0; c < C; c++) {
        const float a = to_float(row[c]) - first[c], b = to_float(row[C + c]) - first[c];
        const float d = to_float(row[2 * C + c]) - first[c], e = to_float(row[3 * C + c]) - first[c];
        s[c] += (a + b) + (d + e);
        q[c] += (a * a + b * b) + (d * d + e * e);
      }
    }
    for (; r < end; r++) {
      const T* row = x + r * C;
#pragma omp simd
      for (int64_t c = 0; c < C; c++) {
        const float d = to_float(row[c]) - first[c];
        s[c] += d;
        q[c] += d * d;
      }
    }
  });
  for (int64_t c = 0; c < C; c++) {
    const double shifted = sums[c] / rows;
    const double variance = std::max(0.0, sums[C + c] / rows - shifted * shifted);
    mean[c] = static_cast<float>(shifted + first[c]);
    inverse_std[c] = static_cast<float>(1.0 / std::sqrt(variance + bn.eps));
    if (bn.update_running) {
      const double unbiased = variance * rows / std::max<int64_t>(1, rows - 1);
      running_mean[c] = static_cast<float>((1.0 - bn.momentum) * running_mean[c] + bn.momentum * mean[c]);
      running_var[c] = static_cast<float>((1.0 - bn.momentum) * running_var[c] + bn.momentum * unbiased);
    }
  }
}

/** y = (x - mean) scale + beta */
inline std::vector<float> scales(int64_t channels, const float* gamma, const float* inverse_std) {
  std::vector<float> scale(channels);
  for (int64_t c = 0; c < channels; c++) scale[c] = gamma[c] * inverse_std[c];
  return scale;
}

/** dx = scale (dy - shift - (x - mean) slope): how the statistics moved with x, which they do in training only. */
struct Slopes {
  std::vector<float> shift, slope;
  /** From the sums of dy and of dy (x - mean), which give the gradients of gamma and beta too. */
  Slopes(const BatchNorm& bn, const std::vector<double>& sums, const float* inverse_std, float* dgamma, float* dbeta)
      : shift(bn.channels), slope(bn.channels) {
    const int64_t C = bn.channels, rows = bn.rows;
    for (int64_t c = 0; c < C; c++) {
      dbeta[c] = static_cast<float>(sums[c]);
      dgamma[c] = static_cast<float>(sums[C + c] * inverse_std[c]);
      shift[c] = bn.training ? static_cast<float>(sums[c] / rows) : 0.f;
      slope[c] = bn.training ? static_cast<float>(sums[C + c] / rows * inverse_std[c] * inverse_std[c]) : 0.f;
    }
  }
};

}  // namespace onecycle
