// Max pooling with the place of each maximum kept for the gradient (the first in row-major order wins, as in
// PyTorch), and the pooling of whole images: maxima and means, or means alone. NHWC.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "bf16.h"

namespace onecycle {
namespace {

// channels that are held in registers or the first cache while a window is walked
constexpr int64_t strip = 64;

template <typename T>
void max_pool(const PoolShape& s, const T* x, T* y, uint8_t* places) {
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t b = 0; b < s.n; b++)
    for (int64_t p = 0; p < s.oh; p++)
      for (int64_t q = 0; q < s.ow; q++)
        for (int64_t from = 0; from < s.c; from += strip) {
          const int64_t channels = std::min(strip, s.c - from);
          float best[strip];
          int32_t where[strip];
          for (int64_t c = 0; c < channels; c++) best[c] = -INFINITY, where[c] = 0;
          for (int64_t r = 0; r < s.size; r++) {
            const int64_t row = p * s.stride - s.pad + r;
            if (row < 0 || row >= s.h) continue;
            for (int64_t t = 0; t < s.size; t++) {
              const int64_t column = q * s.stride - s.pad + t;
              if (column < 0 || column >= s.w) continue;
              const T* in = x + ((b * s.h + row) * s.w + column) * s.c + from;
              const int32_t here = static_cast<int32_t>(r * s.size + t);
#pragma omp simd
              for (int64_t c = 0; c < channels; c++) {
                const float value = to_float(in[c]);
                // a NaN wins, as in PyTorch
                const bool better = !(value <= best[c]);
                where[c] = better ? here : where[c];
                best[c] = better ? value : best[c];
              }
            }
          }
          const int64_t at = ((b * s.oh + p) * s.ow + q) * s.c + from;
#pragma omp simd
          for (int64_t c = 0; c < channels; c++) {
            y[at + c] = rounded<T>(best[c]);
            places[at + c] = static_cast<uint8_t>(where[c]);
          }
        }
}

// gathered per input pixel: no two threads write the same place
template <typename T>
void max_pool_grad(const PoolShape& s, const T* dy, const uint8_t* places, T* dx) {
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t b = 0; b < s.n; b++)
    for (int64_t row = 0; row < s.h; row++)
      for (int64_t column = 0; column < s.w; column++)
        for (int64_t from = 0; from < s.c; from += strip) {
          const int64_t channels = std::min(strip, s.c - from);
          float sum[strip] = {};
          for (int64_t r = 0; r < s.size; r++) {
            const int64_t up = row + s.pad - r;
            if (up < 0 || up % s.stride != 0 || up / s.stride >= s.oh) continue;
            for (int64_t t = 0; t < s.size; t++) {
              const int64_t left = column + s.pad - t;
              if (left < 0 || left % s.stride != 0 || left / s.stride >= s.ow) continue;
              const int64_t at = ((b * s.oh + up / s.stride) * s.ow + left / s.stride) * s.c + from;
              const int32_t here = static_cast<int32_t>(r * s.size + t);
#pragma omp simd
              for (int64_t c = 0; c < channels; c++) {
                const float gradient = to_float(dy[at + c]);
                sum[c] += static_cast<int32_t>(places[at + c]) == here ? gradient : 0.f;
              }
            }
          }
          T* to = dx + ((b * s.h + row) * s.w + column) * s.c + from;
#pragma omp simd
          for (int64_t c = 0; c < channels; c++) to[c] = rounded<T>(sum[c]);
        }
}

template <typename T>
void global_pool(int64_t n, int64_t pixels, int64_t c, bool max, const T* x, float* y, float* places) {
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
      const T* in = x + (b * pixels + i) * c;
#pragma omp simd
      for (int64_t k = 0; k < c; k++) sum[k] += to_float(in[k]);
      if (max) {
        const float here = static_cast<float>(i);
#pragma omp simd
        for (int64_t k = 0; k < c; k++) {
          const float value = to_float(in[k]);
          const bool better = !(value <= top[k]);
          place[k] = better ? here : place[k];
          top[k] = better ? value : top[k];
        }
      }
    }
    for (int64_t k = 0; k < c; k++) mean[k] = static_cast<float>(sum[k] / pixels);
  }
}

template <typename T>
void global_pool_grad(int64_t n, int64_t pixels, int64_t c, bool max, const float* dy, const float* places, T* dx) {
  const int64_t width = max ? 2 * c : c;
#pragma omp parallel for schedule(static)
  for (int64_t b = 0; b < n; b++)
    for (int64_t i = 0; i < pixels; i++) {
      T* to = dx + (b * pixels + i) * c;
      const float* mean = dy + b * width + width - c;
      const float* top = dy + b * width;
      const float here = static_cast<float>(i);
      for (int64_t k = 0; k < c; k++) {
        const float share = mean[k] / pixels;
        to[k] = rounded<T>(max && places[b * c + k] == here ? share + top[k] : share);
      }
    }
}

}  // namespace

void max_pool_forward(const PoolShape& s, Buffer x, Buffer y, uint8_t* places) {
  with_type(x.type, [&](auto zero) {
    using T = decltype(zero);
    max_pool(s, static_cast<const T*>(x.data), static_cast<T*>(y.data), places);
  });
}

void max_pool_backward(const PoolShape& s, Buffer dy, const uint8_t* places, Buffer dx) {
  with_type(dy.type, [&](auto zero) {
    using T = decltype(zero);
    max_pool_grad(s, static_cast<const T*>(dy.data), places, static_cast<T*>(dx.data));
  });
}

void global_pool_forward(int64_t n, int64_t pixels, int64_t c, bool max, Buffer x, float* y, float* places) {
  with_type(x.type, [&](auto zero) {
    global_pool(n, pixels, c, max, static_cast<const decltype(zero)*>(x.data), y, places);
  });
}

void global_pool_backward(int64_t n, int64_t pixels, int64_t c, bool max, const float* dy, const float* places, Buffer dx) {
  with_type(dx.type, [&](auto zero) {
    global_pool_grad(n, pixels, c, max, dy, places, static_cast<decltype(zero)*>(dx.data));
  });
}

}  // namespace onecycle
