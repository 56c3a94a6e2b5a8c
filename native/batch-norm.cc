// Batch norm over rows x channels (NHWC seen flat), fused with residual and ReLU; PyTorch's semantics.
// Sums are shifted by the first row, so that a large mean does not eat the variance's digits, gathered in
// float over blocks of rows and in double beyond; the split over threads is fixed, so the bits are too.
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "bf16.h"

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

template <typename T>
void batch_statistics(const BatchNorm& bn, const T* x, float* running_mean, float* running_var, float* mean,
                      float* inverse_std) {
  const int64_t C = bn.channels, rows = bn.rows;
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

template <typename T>
void forward(const BatchNorm& bn, const T* x, const float* gamma, const float* beta, float* running_mean,
             float* running_var, const T* residual, T* y, float* mean, float* inverse_std) {
  const int64_t C = bn.channels, rows = bn.rows;
  if (bn.training) {
    batch_statistics(bn, x, running_mean, running_var, mean, inverse_std);
  } else {
    for (int64_t c = 0; c < C; c++) {
      mean[c] = running_mean[c];
      inverse_std[c] = 1.f / std::sqrt(running_var[c] + bn.eps);
    }
  }
  std::vector<float> factors(C);
  for (int64_t c = 0; c < C; c++) factors[c] = gamma[c] * inverse_std[c];
  const float* scale = factors.data();
  const float floor = bn.relu ? 0.f : -INFINITY;
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++) {
    const T* row = x + r * C;
    T* out = y + r * C;
    if (residual) {
      const T* added = residual + r * C;
#pragma omp simd
      for (int64_t c = 0; c < C; c++) {
        const float v = (to_float(row[c]) - mean[c]) * scale[c] + beta[c] + to_float(added[c]);
        out[c] = rounded<T>(v < floor ? floor : v);
      }
    } else {
#pragma omp simd
      for (int64_t c = 0; c < C; c++) {
        const float v = (to_float(row[c]) - mean[c]) * scale[c] + beta[c];
        out[c] = rounded<T>(v < floor ? floor : v);
      }
    }
  }
}

// dy' is dy where the ReLU was open: where y > 0, which without a residual x tells without reading y
template <typename T>
void backward(const BatchNorm& bn, const T* dy, const T* x, const T* y, const float* gamma, const float* beta,
              const float* mean, const float* inverse_std, T* dx, float* dgamma, float* dbeta, T* dresidual) {
  const int64_t C = bn.channels, rows = bn.rows;
  const float floor = bn.relu ? 0.f : -INFINITY;
  std::vector<float> factors(C);
  for (int64_t c = 0; c < C; c++) factors[c] = gamma[c] * inverse_std[c];
  const float* scale = factors.data();
  const auto sums = reduce_rows(rows, C, [=](int64_t begin, int64_t end, float* s, float* q) {
    for (int64_t r = begin; r < end; r++) {
      const T *g = dy + r * C, *row = x + r * C;
      if (dresidual) {
        const T* out = y + r * C;
        T* through = dresidual + r * C;
#pragma omp simd
        for (int64_t c = 0; c < C; c++) {
          const float d = to_float(out[c]) > floor ? to_float(g[c]) : 0.f;
          through[c] = rounded<T>(d);
          s[c] += d;
          q[c] += d * (to_float(row[c]) - mean[c]);
        }
      } else {
#pragma omp simd
        for (int64_t c = 0; c < C; c++) {
          const float centred = to_float(row[c]) - mean[c];
          const float d = centred * scale[c] + beta[c] > floor ? to_float(g[c]) : 0.f;
          s[c] += d;
          q[c] += d * centred;
        }
      }
    }
  });
  std::vector<float> shifts(C), slopes(C);
  for (int64_t c = 0; c < C; c++) {
    dbeta[c] = static_cast<float>(sums[c]);
    dgamma[c] = static_cast<float>(sums[C + c] * inverse_std[c]);
    shifts[c] = bn.training ? static_cast<float>(sums[c] / rows) : 0.f;
    slopes[c] = bn.training ? static_cast<float>(sums[C + c] / rows * inverse_std[c] * inverse_std[c]) : 0.f;
  }
  const float *shift = shifts.data(), *slope = slopes.data();
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++) {
    const T* row = x + r * C;
    T* to = dx + r * C;
    if (dresidual) {
      const T* g = dresidual + r * C;
#pragma omp simd
      for (int64_t c = 0; c < C; c++)
        to[c] = rounded<T>(scale[c] * (to_float(g[c]) - shift[c] - (to_float(row[c]) - mean[c]) * slope[c]));
    } else {
      const T* g = dy + r * C;
#pragma omp simd
      for (int64_t c = 0; c < C; c++) {
        const float centred = to_float(row[c]) - mean[c];
        const float d = centred * scale[c] + beta[c] > floor ? to_float(g[c]) : 0.f;
        to[c] = rounded<T>(scale[c] * (d - shift[c] - centred * slope[c]));
      }
    }
  }
}

}  // namespace

void batch_norm_forward(const BatchNorm& bn, Buffer x, const float* gamma, const float* beta, float* running_mean,
                        float* running_var, Buffer residual, Buffer y, float* mean, float* inverse_std) {
  with_type(x.type, [&](auto zero) {
    using T = decltype(zero);
    forward(bn, static_cast<const T*>(x.data), gamma, beta, running_mean, running_var,
            static_cast<const T*>(residual.data), static_cast<T*>(y.data), mean, inverse_std);
  });
}

void batch_norm_backward(const BatchNorm& bn, Buffer dy, Buffer x, Buffer y, const float* gamma, const float* beta,
                         const float* mean, const float* inverse_std, Buffer dx, float* dgamma, float* dbeta,
                         Buffer dresidual) {
  with_type(x.type, [&](auto zero) {
    using T = decltype(zero);
    backward(bn, static_cast<const T*>(dy.data), static_cast<const T*>(x.data), static_cast<const T*>(y.data), gamma,
             beta, mean, inverse_std, static_cast<T*>(dx.data), dgamma, dbeta, static_cast<T*>(dresidual.data));
  });
}

}  // namespace onecycle
