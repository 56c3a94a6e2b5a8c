// max_pool(relu(batch norm)) by windows of 3x3, stride 2, pad 1, as a ResNet's stem has it, without the image
// between: the normalised maximum is where x is largest, or smallest where the scale is negative. Forward keeps
// where that was and what x was there, which is all that the sums of the gradient need. NHWC.
#include "batch-norm-sums.h"

namespace onecycle {
namespace {

// Values in an order that one comparison of T's width tells: x, or -x where `turned`. A NaN is the largest.
template <typename T>
struct Order;
template <>
struct Order<float> {
  using Key = float;
  using Index = int32_t;
  static Key of(float x, bool turned) { return turned ? -x : x; }
  static float back(Key key, bool turned) { return turned ? -key : key; }
  static bool above(Key a, Key b) { return !(a <= b); }
};
template <>
struct Order<bf16> {
  using Key = int16_t;
  using Index = int16_t;
  // the bits of negative numbers count backwards
  static int16_t signed_order(int16_t bits) { return static_cast<int16_t>(bits ^ ((bits >> 15) & 0x7fff)); }
  static Key of(bf16 x, bool turned) {
    const auto bits = static_cast<int16_t>(x.bits);
    const auto key = static_cast<int16_t>(signed_order(bits) ^ (turned ? -1 : 0));
    return (bits & 0x7fff) > 0x7f80 ? static_cast<int16_t>(0x7fff) : key;
  }
  static float back(Key key, bool turned) {
    return to_float(bf16{static_cast<uint16_t>(signed_order(static_cast<int16_t>(key ^ (turned ? -1 : 0))))});
  }
  static bool above(Key a, Key b) { return a > b; }
};

template <typename T>
void forward(const BatchNorm& bn, const PoolShape& s, const T* x, const float* gamma, const float* beta,
             float* running_mean, float* running_var, T* y, T* peaks, uint8_t* places, float* mean, float* inverse_std) {
  statistics(bn, x, running_mean, running_var, mean, inverse_std);
  const int64_t C = s.c;
  const auto factors = scales(C, gamma, inverse_std);
  const float* scale = factors.data();
  // what lies outside the image is never the maximum
  std::vector<T> edge(C);
  for (int64_t c = 0; c < C; c++) edge[c] = rounded<T>(scale[c] < 0.f ? INFINITY : -INFINITY);
  using O = Order<T>;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t b = 0; b < s.n; b++)
    for (int64_t p = 0; p < s.oh; p++)
      for (int64_t q = 0; q < s.ow; q++) {
        const auto tap = [&](int64_t r, int64_t t) {
          const int64_t row = 2 * p - 1 + r, column = 2 * q - 1 + t;
          const bool inside = row >= 0 && row < s.h && column >= 0 && column < s.w;
          return inside ? x + ((b * s.h + row) * s.w + column) * C : edge.data();
        };
        const T *t0 = tap(0, 0), *t1 = tap(0, 1), *t2 = tap(0, 2), *t3 = tap(1, 0), *t4 = tap(1, 1), *t5 = tap(1, 2),
                *t6 = tap(2, 0), *t7 = tap(2, 1), *t8 = tap(2, 2);
        const int64_t at = ((b * s.oh + p) * s.ow + q) * C;
        T *out = y + at, *kept = peaks + at;
        uint8_t* place = places + at;
#pragma omp simd
        for (int64_t c = 0; c < C; c++) {
          const bool turned = scale[c] < 0.f;
          auto best = O::of(t0[c], turned);
          typename O::Index where = 0;
          const auto against = [&](T value, typename O::Index here) {
            const auto key = O::of(value, turned);
            const bool better = O::above(key, best);
            where = better ? here : where;
            best = better ? key : best;
          };
          against(t1[c], 1), against(t2[c], 2), against(t3[c], 3), against(t4[c], 4);
          against(t5[c], 5), against(t6[c], 6), against(t7[c], 7), against(t8[c], 8);
          const float peak = O::back(best, turned);
          const float value = (peak - mean[c]) * scale[c] + beta[c];
          out[c] = rounded<T>(value < 0.f ? 0.f : value);
          kept[c] = rounded<T>(peak);
          place[c] = static_cast<uint8_t>(where);
        }
      }
}

template <typename T>
void backward(const BatchNorm& bn, const PoolShape& s, const T* dy, const T* x, const T* peaks, const uint8_t* places,
              const float* gamma, const float* beta, const float* mean, const float* inverse_std, T* dx, float* dgamma,
              float* dbeta) {
  const int64_t C = s.c, pooled = s.n * s.oh * s.ow;
  const auto factors = scales(C, gamma, inverse_std);
  const float* scale = factors.data();
  // the gradients that came through the ReLU
  T* open = static_cast<T*>(arena(scratch_slot, sizeof(T) * pooled * C));
  const auto sums = reduce_rows(pooled, C, [=](int64_t begin, int64_t end, float* sum, float* product) {
    for (int64_t r = begin; r < end; r++) {
      const T *g = dy + r * C, *peak = peaks + r * C;
      T* through = open + r * C;
#pragma omp simd
      for (int64_t c = 0; c < C; c++) {
        const float centred = to_float(peak[c]) - mean[c], upstream = to_float(g[c]);
        const float d = centred * scale[c] + beta[c] > 0.f ? upstream : 0.f;
        through[c] = rounded<T>(d);
        sum[c] += d;
        product[c] += d * centred;
      }
    }
  });
  const Slopes slopes(bn, sums, inverse_std, dgamma, dbeta);
  const float *shift = slopes.shift.data(), *slope = slopes.slope.data();
  const std::vector<T> nothing(C, rounded<T>(0.f));
  // a square of four pixels belongs to four windows, of which it is the middle and what lies right and below
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t b = 0; b < s.n; b++)
    for (int64_t p = 0; p < s.oh; p++)
      for (int64_t q = 0; q < s.ow; q++) {
        const auto offset = [&](int64_t r, int64_t t) { return ((b * s.oh + p + r) * s.ow + q + t) * C; };
        const bool right = q + 1 < s.ow, below = p + 1 < s.oh;
        const T *g0 = open + offset(0, 0), *g1 = right ? open + offset(0, 1) : nothing.data();
        const T *g2 = below ? open + offset(1, 0) : nothing.data();
        const T* g3 = right && below ? open + offset(1, 1) : nothing.data();
        // where there is no window, its gradient is nothing, whatever place is read
        const uint8_t *w0 = places + offset(0, 0), *w1 = right ? places + offset(0, 1) : w0;
        const uint8_t *w2 = below ? places + offset(1, 0) : w0, *w3 = right && below ? places + offset(1, 1) : w0;
        const auto pixel = [&](int64_t r, int64_t t) { return ((b * s.h + 2 * p + r) * s.w + 2 * q + t) * C; };
        const bool two = 2 * q + 1 < s.w, rows = 2 * p + 1 < s.h;
        // the gradient of one pixel, from what came through the windows; a loop each, which leaves registers enough
        const auto finish = [&](int64_t r, int64_t t, auto sum) {
          const T* from = x + pixel(r, t);
          T* to = dx + pixel(r, t);
#pragma omp simd
          for (int64_t c = 0; c < C; c++)
            to[c] = rounded<T>(scale[c] * (sum(c) - shift[c] - (to_float(from[c]) - mean[c]) * slope[c]));
        };
        const auto chose = [](const T* g, const uint8_t* w, int64_t c, int place) {
          const float gradient = to_float(g[c]);
          return w[c] == place ? gradient : 0.f;
        };
        finish(0, 0, [&](int64_t c) { return chose(g0, w0, c, 4); });
        if (two) finish(0, 1, [&](int64_t c) { return chose(g0, w0, c, 5) + chose(g1, w1, c, 3); });
        if (rows) finish(1, 0, [&](int64_t c) { return chose(g0, w0, c, 7) + chose(g2, w2, c, 1); });
        if (two && rows)
          finish(1, 1, [&](int64_t c) {
            return (chose(g0, w0, c, 8) + chose(g1, w1, c, 6)) + (chose(g2, w2, c, 2) + chose(g3, w3, c, 0));
          });
      }
}

}  // namespace

void batch_norm_pool_forward(const BatchNorm& bn, const PoolShape& s, Buffer x, const float* gamma, const float* beta,
                             float* running_mean, float* running_var, Buffer y, Buffer peaks, uint8_t* places,
                             float* mean, float* inverse_std) {
  with_type(x.type, [&](auto zero) {
    using T = decltype(zero);
    forward(bn, s, static_cast<const T*>(x.data), gamma, beta, running_mean, running_var, static_cast<T*>(y.data),
            static_cast<T*>(peaks.data), places, mean, inverse_std);
  });
}

void batch_norm_pool_backward(const BatchNorm& bn, const PoolShape& s, Buffer dy, Buffer x, Buffer peaks,
                              const uint8_t* places, const float* gamma, const float* beta, const float* mean,
                              const float* inverse_std, Buffer dx, float* dgamma, float* dbeta) {
  with_type(x.type, [&](auto zero) {
    using T = decltype(zero);
    backward(bn, s, static_cast<const T*>(dy.data), static_cast<const T*>(x.data), static_cast<const T*>(peaks.data),
             places, gamma, beta, mean, inverse_std, static_cast<T*>(dx.data), dgamma, dbeta);
  });
}

}  // namespace onecycle
