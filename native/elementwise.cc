// What touches each value once: add, ReLU, dropout, channels side by side, storage, and the sum over rows.
#include <cstring>

#include "bf16.h"

namespace onecycle {
namespace {

constexpr int64_t parallel_min = 16384;

template <typename T>
T* as(Buffer b) {
  return static_cast<T*>(b.data);
}

}  // namespace

void add(int64_t size, Buffer a, Buffer b, Buffer y) {
  with_type(a.type, [&](auto zero) {
    using T = decltype(zero);
    const T *left = as<T>(a), *right = as<T>(b);
    T* to = as<T>(y);
#pragma omp parallel for simd schedule(static) if (size > parallel_min)
    for (int64_t i = 0; i < size; i++) to[i] = rounded<T>(to_float(left[i]) + to_float(right[i]));
  });
}

void relu(int64_t size, Buffer x, Buffer y) {
  with_type(x.type, [&](auto zero) {
    using T = decltype(zero);
    const T* from = as<T>(x);
    T* to = as<T>(y);
#pragma omp parallel for simd schedule(static) if (size > parallel_min)
    for (int64_t i = 0; i < size; i++) to[i] = rounded<T>(to_float(from[i]) < 0.f ? 0.f : to_float(from[i]));
  });
}

void relu_grad(int64_t size, Buffer dy, Buffer y, Buffer dx) {
  with_type(dy.type, [&](auto zero) {
    using T = decltype(zero);
    const T *from = as<T>(dy), *out = as<T>(y);
    T* to = as<T>(dx);
#pragma omp parallel for simd schedule(static) if (size > parallel_min)
    for (int64_t i = 0; i < size; i++) to[i] = rounded<T>(to_float(out[i]) > 0.f ? to_float(from[i]) : 0.f);
  });
}

// lowbias32 of a counter, as src/engine/ops/dropout.ts has it
static uint32_t hash(uint32_t seed, uint32_t index) {
  uint32_t x = seed + index * 0x9e3779b9u;
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

void dropout(int64_t size, Buffer x, double p, uint32_t seed, Buffer y) {
  const double threshold = p * 4294967296.0;
  const float scale = static_cast<float>(1.0 / (1.0 - p));
  with_type(x.type, [&](auto zero) {
    using T = decltype(zero);
    const T* from = as<T>(x);
    T* to = as<T>(y);
#pragma omp parallel for simd schedule(static) if (size > parallel_min)
    for (int64_t i = 0; i < size; i++)
      to[i] = hash(seed, static_cast<uint32_t>(i)) >= threshold ? rounded<T>(to_float(from[i]) * scale) : T{};
  });
}

void concat(int64_t rows, int64_t ac, int64_t bc, Buffer a, Buffer b, Buffer y) {
  const int64_t element = a.type == Type::f32 ? 4 : 2, left = ac * element, right = bc * element;
  const auto *from = static_cast<const char*>(a.data), *other = static_cast<const char*>(b.data);
  auto* to = static_cast<char*>(y.data);
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++) {
    std::memcpy(to + r * (left + right), from + r * left, left);
    std::memcpy(to + r * (left + right) + left, other + r * right, right);
  }
}

void channel_slice(int64_t rows, int64_t width, int64_t from, int64_t channels, Buffer x, Buffer y) {
  const int64_t element = x.type == Type::f32 ? 4 : 2;
  const auto* source = static_cast<const char*>(x.data);
  auto* to = static_cast<char*>(y.data);
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++)
    std::memcpy(to + r * channels * element, source + (r * width + from) * element, channels * element);
}

void bias_grad(int64_t rows, int64_t channels, Buffer dy, float* db) {
  std::vector<double> sum(channels, 0.0);
  with_type(dy.type, [&](auto zero) {
    const auto* from = as<decltype(zero)>(dy);
    for (int64_t r = 0; r < rows; r++)
      for (int64_t c = 0; c < channels; c++) sum[c] += to_float(from[r * channels + c]);
  });
  for (int64_t c = 0; c < channels; c++) db[c] = static_cast<float>(sum[c]);
}

void convert(int64_t size, Buffer x, Buffer y) {
  with_type(x.type, [&](auto from_zero) {
    with_type(y.type, [&](auto to_zero) {
      using T = decltype(to_zero);
      const auto* from = as<decltype(from_zero)>(x);
      T* to = as<T>(y);
#pragma omp parallel for simd schedule(static) if (size > parallel_min)
      for (int64_t i = 0; i < size; i++) to[i] = rounded<T>(to_float(from[i]));
    });
  });
}

}  // namespace onecycle
