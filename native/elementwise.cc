// What touches each value once: add, ReLU, dropout, channels side by side, and the sum over rows.
#include <cstring>

#include "kernels.h"

namespace onecycle {

void add(int64_t size, const float* a, const float* b, float* y) {
#pragma omp parallel for simd schedule(static) if (size > 16384)
  for (int64_t i = 0; i < size; i++) y[i] = a[i] + b[i];
}

void relu(int64_t size, const float* x, float* y) {
#pragma omp parallel for simd schedule(static) if (size > 16384)
  for (int64_t i = 0; i < size; i++) y[i] = x[i] < 0.f ? 0.f : x[i];
}

void relu_grad(int64_t size, const float* dy, const float* y, float* dx) {
#pragma omp parallel for simd schedule(static) if (size > 16384)
  for (int64_t i = 0; i < size; i++) dx[i] = y[i] > 0.f ? dy[i] : 0.f;
}

// lowbias32 of a counter, as src/engine/ops/dropout.ts has it
static uint32_t hash(uint32_t seed, uint32_t index) {
  uint32_t x = seed + index * 0x9e3779b9u;
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

void dropout(int64_t size, const float* x, double p, uint32_t seed, float* y) {
  const double threshold = p * 4294967296.0;
  const float scale = static_cast<float>(1.0 / (1.0 - p));
  for (int64_t i = 0; i < size; i++) y[i] = hash(seed, static_cast<uint32_t>(i)) >= threshold ? x[i] * scale : 0.f;
}

void concat(int64_t rows, int64_t ac, int64_t bc, const float* a, const float* b, float* y) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++) {
    std::memcpy(y + r * (ac + bc), a + r * ac, sizeof(float) * ac);
    std::memcpy(y + r * (ac + bc) + ac, b + r * bc, sizeof(float) * bc);
  }
}

void channel_slice(int64_t rows, int64_t width, int64_t from, int64_t channels, const float* x, float* y) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++) std::memcpy(y + r * channels, x + r * width + from, sizeof(float) * channels);
}

void bias_grad(int64_t rows, int64_t channels, const float* dy, float* db) {
  std::vector<double> sum(channels, 0.0);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < channels; c++) sum[c] += dy[r * channels + c];
  for (int64_t c = 0; c < channels; c++) db[c] = static_cast<float>(sum[c]);
}

}  // namespace onecycle
