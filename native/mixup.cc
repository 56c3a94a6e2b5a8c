// Mixup (arXiv:1710.09412) of the rows of a batch: y_i = lambda_i * x_i + (1 - lambda_i) * x_order[i].
// src/learner/targets.ts is the referee, and has the same numbers to the bit.
#include "bf16.h"
#include "render.h"

namespace onecycle {

void mix_rows(int64_t rows, int64_t width, const float* lambdas, const uint32_t* order, Buffer x, Buffer y) {
  with_type(x.type, [&](auto stored) {
    using T = decltype(stored);
    for (int64_t i = 0; i < rows; i++) {
      // products of two float32 are exact in double
      const double lambda = lambdas[i], rest = 1 - lambda;
      const T* own = static_cast<const T*>(x.data) + i * width;
      const T* other = static_cast<const T*>(x.data) + static_cast<int64_t>(order[i]) * width;
      T* to = static_cast<T*>(y.data) + i * width;
#pragma omp simd
      for (int64_t k = 0; k < width; k++) {
        const double a = to_float(own[k]), b = to_float(other[k]);
        to[k] = rounded<T>(static_cast<float>(lambda * a + rest * b));
      }
    }
  });
}

}  // namespace onecycle
