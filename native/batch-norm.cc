// Batch norm over rows x channels (NHWC seen flat), fused with residual and ReLU; PyTorch's semantics.
#include "batch-norm-sums.h"

namespace onecycle {
namespace {

template <typename T>
void forward(const BatchNorm& bn, const T* x, const float* gamma, const float* beta, float* running_mean,
             float* running_var, const T* residual, T* y, float* mean, float* inverse_std) {
  const int64_t C = bn.channels, rows = bn.rows;
  statistics(bn, x, running_mean, running_var, mean, inverse_std);
  const auto factors = scales(C, gamma, inverse_std);
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

// dy' is dy where the ReLU was open: where y > 0, which without a residual x tells without reading y. What is
// chosen is read first: a load that may not happen keeps a loop from being a vector one.
template <typename T>
void backward(const BatchNorm& bn, const T* dy, const T* x, const T* y, const float* gamma, const float* beta,
              const float* mean, const float* inverse_std, T* dx, float* dgamma, float* dbeta, T* dresidual) {
  const int64_t C = bn.channels, rows = bn.rows;
  const float floor = bn.relu ? 0.f : -INFINITY;
  const auto factors = scales(C, gamma, inverse_std);
  const float* scale = factors.data();
  const auto sums = reduce_rows(rows, C, [=](int64_t begin, int64_t end, float* s, float* q) {
    for (int64_t r = begin; r < end; r++) {
      const T *g = dy + r * C, *row = x + r * C;
      if (dresidual) {
        const T* out = y + r * C;
        T* through = dresidual + r * C;
#pragma omp simd
        for (int64_t c = 0; c < C; c++) {
          const float upstream = to_float(g[c]);
          const float d = to_float(out[c]) > floor ? upstream : 0.f;
          through[c] = rounded<T>(d);
          s[c] += d;
          q[c] += d * (to_float(row[c]) - mean[c]);
        }
      } else {
#pragma omp simd
        for (int64_t c = 0; c < C; c++) {
          const float centred = to_float(row[c]) - mean[c], upstream = to_float(g[c]);
          const float d = centred * scale[c] + beta[c] > floor ? upstream : 0.f;
          s[c] += d;
          q[c] += d * centred;
        }
      }
    }
  });
  const Slopes slopes(bn, sums, inverse_std, dgamma, dbeta);
  const float *shift = slopes.shift.data(), *slope = slopes.slope.data();
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
        const float centred = to_float(row[c]) - mean[c], upstream = to_float(g[c]);
        const float d = centred * scale[c] + beta[c] > floor ? upstream : 0.f;
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
