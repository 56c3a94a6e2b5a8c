// Gradients scaled so that their common norm is at most a limit, as torch.nn.utils.clip_grad_norm_ does it. One
// sum for each thread, added in their order, so that the bits do not depend on who was first.
#include <omp.h>

#include <cmath>

#include "kernels.h"

namespace onecycle {

double clip_grad_norm(double max, const std::vector<GradTensor>& tensors) {
  std::vector<double> sums(omp_get_max_threads(), 0.0);
#pragma omp parallel num_threads(static_cast<int>(sums.size()))
  {
    const int64_t threads = omp_get_num_threads(), t = omp_get_thread_num();
    double sum = 0;
    for (const auto& tensor : tensors) {
      const int64_t begin = tensor.size * t / threads, end = tensor.size * (t + 1) / threads;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = begin; i < end; i++) sum += static_cast<double>(tensor.g[i]) * tensor.g[i];
    }
    sums[t] = sum;
  }
  double squares = 0;
  for (const double sum : sums) squares += sum;
  const double norm = std::sqrt(squares), scale = max / (norm + 1e-6);
  if (scale >= 1) return norm;
  for (const auto& tensor : tensors) {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < tensor.size; i++) tensor.g[i] = static_cast<float>(tensor.g[i] * scale);
  }
  return norm;
}

}  // namespace onecycle
