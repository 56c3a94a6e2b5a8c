// Softmax cross-entropy with soft targets, mean over the batch; in double, for it is small.
#include <algorithm>
#include <cmath>

#include "kernels.h"

namespace onecycle {

void cross_entropy(int64_t n, int64_t classes, const float* logits, const float* targets, float* loss, float* log_p) {
  double sum = 0;
  for (int64_t b = 0; b < n; b++) {
    const float *row = logits + b * classes, *target = targets + b * classes;
    const double top = *std::max_element(row, row + classes);
    double total = 0;
    for (int64_t c = 0; c < classes; c++) total += std::exp(row[c] - top);
    const double log_total = top + std::log(total);
    for (int64_t c = 0; c < classes; c++) {
      const double value = row[c] - log_total;
      log_p[b * classes + c] = static_cast<float>(value);
      if (target[c] != 0.f) sum -= target[c] * value;
    }
  }
  *loss = static_cast<float>(sum / n);
}

void cross_entropy_grad(int64_t n, int64_t classes, float dy, const float* targets, const float* log_p, float* dx) {
  for (int64_t b = 0; b < n; b++) {
    double mass = 0;
    for (int64_t c = 0; c < classes; c++) mass += targets[b * classes + c];
    for (int64_t c = 0; c < classes; c++) {
      const int64_t at = b * classes + c;
      dx[at] = static_cast<float>((mass * std::exp(static_cast<double>(log_p[at])) - targets[at]) * dy / n);
    }
  }
}

}  // namespace onecycle
