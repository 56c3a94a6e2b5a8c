// AdamW as fastai v1 steps it (callback.py OptimWrapper): p *= 1 - wd*lr, then Adam without decay; with
// true_wd off the decay is added to the gradient instead. One pass over p, g, m, v of a whole group.
#include <omp.h>

#include <cmath>

#include "kernels.h"

namespace onecycle {

void adamw(const AdamStep& s, const std::vector<AdamTensor>& tensors) {
  const float keep = s.true_wd ? static_cast<float>(1.0 - s.wd * s.lr) : 1.f;
  const float l2 = s.true_wd ? 0.f : static_cast<float>(s.wd);
  const float b1 = static_cast<float>(s.beta1), b2 = static_cast<float>(s.beta2);
  const float c1 = static_cast<float>(1.0 - s.beta1), c2 = static_cast<float>(1.0 - s.beta2);
  const float step = static_cast<float>(s.lr / s.correction1);
  const float root = static_cast<float>(1.0 / std::sqrt(s.correction2));
  const float eps = static_cast<float>(s.eps);
#pragma omp parallel
  {
    const int64_t threads = omp_get_num_threads(), t = omp_get_thread_num();
    for (const auto& tensor : tensors) {
      const int64_t begin = tensor.size * t / threads, end = tensor.size * (t + 1) / threads;
      float *p = tensor.p, *m = tensor.m, *v = tensor.v;
      const float* g = tensor.g;
#pragma omp simd
      for (int64_t i = begin; i < end; i++) {
        const float decayed = p[i] * keep;
        const float grad = g[i] + l2 * p[i];
        const float first = b1 * m[i] + c1 * grad;
        const float second = b2 * v[i] + c2 * grad * grad;
        m[i] = first;
        v[i] = second;
        p[i] = decayed - step * first / (std::sqrt(second) * root + eps);
      }
    }
  }
}

}  // namespace onecycle
