// Max pooling with the place of each maximum kept for the gradient (the first in row-major order wins, as in
// PyTorch), and the pooling of whole images: maxima and means, or means alone. NHWC.
#include <cmath>
#include <cstring>

#include "kernels.h"

namespace onecycle {

void max_pool_forward(const PoolShape& s, const float* x, float* y, float* places) {
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t b = 0; b < s.n; b++)
    for (int64_t p = 0; p < s.oh; p++)
      for (int64_t q = 0; q < s.ow; q++) {
        float* out = y + ((b * s.oh + p) * s.ow + q) * s.c;
        float* place = places + ((b * s.oh + p) * s.ow + q) * s.c;
        for (int64_t c = 0; c < s.c; c++) out[c] = -INFINITY, place[c] = 0;
        for (int64_t r = 0; r < s.size; r++) {
          const int64_t row = p * s.stride - s.pad + r;
          if (row < 0 || row >= s.h) continue;
          for (int64_t t = 0; t < s.size; t++) {
            const int64_t column = q * s.stride - s.pad + t;
            if (column < 0 || column >= s.w) continue;
            const float* in = x + ((b * s.h + row) * s.w + column) * s.c;
            const float here = static_cast<float>(r * s.size + t);
#pragma omp simd
            for (int64_t c = 0; c < s.c; c++) {
              const bool better = !(in[c] <= out[c]);
              place[c] = better ? here : place[c];
              out[c] = better ? in[c] : out[c];
            }
          }
        }
      }
}

void max_pool_backward(const PoolShape& s, const float* dy, const float* places, float* dx) {
  // gathered per input pixel: no two threads write the same place
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t b = 0; b < s.n; b++)
    for (int64_t row = 0; row < s.h; row++)
      for (int64_t column = 0; column < s.w; column++) {
        float* to = dx + ((b * s.h + row) * s.w + column) * s.c;
        std::memset(to, 0, sizeof(float) * s.c);
        for (int64_t r = 0; r < s.size; r++) {
          const int64_t up = row + s.pad - r;
          if (up < 0 || up % s.stride != 0 || up / s.stride >= s.oh) continue;
          for (int64_t t = 0; t < s.size; t++) {
            const int64_t left = column + s.pad - t;
            if (left < 0 || left % s.stride != 0 || left / s.stride >= s.ow) continue;
            const int64_t at = ((b * s.oh + up / s.stride) * s.ow + left / s.stride) * s.c;
            const float here = static_cast<float>(r * s.size + t);
#pragma omp simd
            for (int64_t c = 0; c < s.c; c++) to[c] += places[at + c] == here ? dy[at + c] : 0.f;
          }
        }
      }
}

void global_pool_forward(int64_t n, int64_t pixels, int64_t c, bool max, const float* x, float* y, float* places) {
  const int64_t width = max ? 2 * c : c;
#pragma omp parallel for schedule(static)
  for (int64_t b = 0; b < n; b++) {
    float* mean = y + b * width + width - c;
    float* top = y + b * width;
    float* place = places + b * c;
    std::vector<double> sum(c, 0.0);
    if (max)
      for (int64_t k = 0; k < c; k++) top[k] = -INFINITY, place[k] = 0;
    for (int64_t i = 0; i < pixels; i++) {
      const float* in = x + (b * pixels + i) * c;
      for (int64_t k = 0; k < c; k++) sum[k] += in[k];
      if (max) {
        for (int64_t k = 0; k < c; k++) {
          if (in[k] <= top[k]) continue;
          top[k] = in[k];
          place[k] = static_cast<float>(i);
        }
      }
    }
    for (int64_t k = 0; k < c; k++) mean[k] = static_cast<float>(sum[k] / pixels);
  }
}

void global_pool_backward(int64_t n, int64_t pixels, int64_t c, bool max, const float* dy, const float* places, float* dx) {
  const int64_t width = max ? 2 * c : c;
#pragma omp parallel for schedule(static)
  for (int64_t b = 0; b < n; b++)
    for (int64_t i = 0; i < pixels; i++) {
      float* to = dx + (b * pixels + i) * c;
      const float* mean = dy + b * width + width - c;
      for (int64_t k = 0; k < c; k++) {
        to[k] = mean[k] / pixels;
        if (max && places[b * c + k] == static_cast<float>(i)) to[k] += dy[b * width + k];
      }
    }
}

}  // namespace onecycle
