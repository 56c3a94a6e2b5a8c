// fastai's lighting: sigmoid(scale * logit(x) + shift), for a strip at a time. The polynomials are Cephes's, so that
// the loop has no call in it and is vectorised; what comes out is within 1e-6 of libm's.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

namespace onecycle {

/** By value: the loops around std::clamp, which hands out references, are not vectorised. */
template <typename T>
inline T within(T value, T low, T high) {
  value = value < low ? low : value;
  return value > high ? high : value;
}

/** log2 of x in [1e-7, 1e7], within 2e-7 of the larger of 1 and itself: Cephes's logf. */
inline float log2_of(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, 4);
  // the mantissa lies in [sqrt(1/2), sqrt(2)), where the logarithm is small
  const int32_t exponent = (bits - 0x3f3504f3) >> 23;
  bits -= exponent * (1 << 23);
  float m;
  std::memcpy(&m, &bits, 4);
  m -= 1;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  const float log = m + m * m * (p * m - 0.5f);
  return log * 1.44269504f + static_cast<float>(exponent);
}

/** 2^x, relative error 2e-7, for x cut to what float32 holds: Cephes's exp2f. */
inline float exp2_of(float x) {
  x = within(x, -126.f, 126.f);
  const float whole = std::floor(x + 0.5f), f = x - whole;
  float p = 1.535336188319500e-4f;
  p = p * f + 1.339887440266574e-3f;
  p = p * f + 9.618437357674640e-3f;
  p = p * f + 5.550332471162809e-2f;
  p = p * f + 2.402264791363012e-1f;
  p = p * f + 6.931472028550421e-1f;
  p = p * f + 1;
  const int32_t bits = (static_cast<int32_t>(whole) + 127) * (1 << 23);
  float power;
  std::memcpy(&power, &bits, 4);
  return p * power;
}

/** sigmoid(scale * logit(x) + shift), x cut to where the logit is finite, as fastai's logit_ does. */
inline void relight(float* value, int n, float scale, float shift) {
  const float base2 = shift * 1.44269504f;
#pragma omp simd
  for (int k = 0; k < n; k++) {
    const float x = within(value[k], 1e-7f, 1 - 1e-7f);
    value[k] = 1 / (1 + exp2_of(-(scale * log2_of(x / (1 - x)) + base2)));
  }
}

}  // namespace onecycle
