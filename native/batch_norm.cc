// Batch norm over rows x channels (NHWC seen flat), fused with residual and ReLU; PyTorch's semantics.
// Sums are shifted by the first row, so that a large mean does not eat the variance's digits, gathered in
// float over blocks of rows and in double beyond; the split over threads is fixed, so the bits are too.
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "kernels.h"

namespace onecycle {
namespace {

constexpr int64_t block_rows = 32;

// calls body(begin, end, sums of this thread: 2 x channels), then adds the threads' sums in their order
template <typename Body>
std::vector<double> reduce_rows(int64_t rows, int64_t channels, Body body) {
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

}  // namespace

void batch_norm_forward(const BatchNorm& bn, const float* x, const float* gamma, const float* beta,
                        float* running_mean, float* running_var, const float* residual, float* y,
                        float* mean, float* inverse_std) {
  const int64_t C = bn.channels, rows = bn.rows;
  if (bn.training) {
    const auto sums = reduce_rows(rows, C, [&](int64_t begin, int64_t end, float* s, float* q) {
      for (int64_t r = begin; r < end; r++) {
        const float* row = x + r * C;
#pragma omp simd
        for (int64_t c = 0; c < C; c++) {
          const float d = row[c] - x[c];
          s[c] += d;
          q[c] += d * d;
        }
      }
    });
    for (int64_t c = 0; c < C; c++) {
      const double shifted = sums[c] / rows;
      const double variance = std::max(0.0, sums[C + c] / rows - shifted * shifted);
      mean[c] = static_cast<float>(shifted + x[c]);
      inverse_std[c] = static_cast<float>(1.0 / std::sqrt(variance + bn.eps));
      if (bn.update_running) {
        const double unbiased = variance * rows / std::max<int64_t>(1, rows - 1);
        running_mean[c] = static_cast<float>((1.0 - bn.momentum) * running_mean[c] + bn.momentum * mean[c]);
        running_var[c] = static_cast<float>((1.0 - bn.momentum) * running_var[c] + bn.momentum * unbiased);
      }
    }
  } else {
    for (int64_t c = 0; c < C; c++) {
      mean[c] = running_mean[c];
      inverse_std[c] = 1.f / std::sqrt(running_var[c] + bn.eps);
    }
  }
  std::vector<float> scale(C);
  for (int64_t c = 0; c < C; c++) scale[c] = gamma[c] * inverse_std[c];
  const float floor = bn.relu ? 0.f : -INFINITY;
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++) {
    const float* row = x + r * C;
    float* out = y + r * C;
    if (residual) {
      const float* add = residual + r * C;
#pragma omp simd
      for (int64_t c = 0; c < C; c++) {
        const float v = (row[c] - mean[c]) * scale[c] + beta[c] + add[c];
        out[c] = v < floor ? floor : v;
      }
    } else {
#pragma omp simd
      for (int64_t c = 0; c < C; c++) {
        const float v = (row[c] - mean[c]) * scale[c] + beta[c];
        out[c] = v < floor ? floor : v;
      }
    }
  }
}

void batch_norm_backward(const BatchNorm& bn, const float* dy, const float* x, const float* y,
                         const float* gamma, const float* mean, const float* inverse_std, float* dx,
                         float* dgamma, float* dbeta, float* dresidual) {
  const int64_t C = bn.channels, rows = bn.rows;
  const float floor = bn.relu ? 0.f : -INFINITY;
  // sums of dy' and dy' * (x - mean), dy' being dy where the ReLU was open
  const auto sums = reduce_rows(rows, C, [&](int64_t begin, int64_t end, float* s, float* q) {
    for (int64_t r = begin; r < end; r++) {
      const float *g = dy + r * C, *row = x + r * C, *out = y + r * C;
      float* through = dresidual ? dresidual + r * C : nullptr;
#pragma omp simd
      for (int64_t c = 0; c < C; c++) {
        const float d = out[c] > floor ? g[c] : 0.f;
        s[c] += d;
        q[c] += d * (row[c] - mean[c]);
      }
      if (through) {
#pragma omp simd
        for (int64_t c = 0; c < C; c++) through[c] = out[c] > floor ? g[c] : 0.f;
      }
    }
  });
  std::vector<float> scale(C), shift(C), slope(C);
  for (int64_t c = 0; c < C; c++) {
    dbeta[c] = static_cast<float>(sums[c]);
    dgamma[c] = static_cast<float>(sums[C + c] * inverse_std[c]);
    scale[c] = gamma[c] * inverse_std[c];
    shift[c] = bn.training ? static_cast<float>(sums[c] / rows) : 0.f;
    slope[c] = bn.training ? static_cast<float>(sums[C + c] / rows * inverse_std[c] * inverse_std[c]) : 0.f;
  }
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++) {
    const float *g = dy + r * C, *row = x + r * C, *out = y + r * C;
    float* to = dx + r * C;
#pragma omp simd
    for (int64_t c = 0; c < C; c++) {
      const float d = out[c] > floor ? g[c] : 0.f;
      to[c] = scale[c] * (d - shift[c] - (row[c] - mean[c]) * slope[c]);
    }
  }
}

}  // namespace onecycle
