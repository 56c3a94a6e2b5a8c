#include "space-to-depth.h"

#include <algorithm>
#include <cstring>

#include "bf16.h"

namespace onecycle {
namespace {

// calls body(place in the filter, place in the folded one) for each row of outputs that a tap and a channel have
template <typename Body>
void each_tap(const ConvShape& s, Body body) {
  for (int64_t r = 0; r < 2 * square_taps; r++)
    for (int64_t t = 0; t < 2 * square_taps; t++) {
      // the output at y sees pixel 2 (y - 2) + r
      const int64_t row = r + s.pad - 4, column = t + s.pad - 4;
      if (row < 0 || row >= s.kh || column < 0 || column >= s.kw) continue;
      const int64_t square = (r / 2 * square_taps + t / 2) * square_channels + (r % 2 * 2 + t % 2) * s.c;
      for (int64_t c = 0; c < s.c; c++) body(((row * s.kw + column) * s.c + c) * s.o, (square + c) * s.o);
    }
}

template <typename T>
void gather(const ConvShape& s, const T* x, T* squares) {
  const int64_t oh = s.oh(), ow = s.ow(), pair = 2 * s.c;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < s.n; n++)
    for (int64_t p = 0; p < oh; p++)
      for (int64_t q = 0; q < ow; q++) {
        T* to = squares + ((n * oh + p) * ow + q) * square_channels;
        T square[square_channels] = {};
        for (int64_t r = 0; r < 2 && 2 * p + r < s.h; r++) {
          const T* from = x + ((n * s.h + 2 * p + r) * s.w + 2 * q) * s.c;
          // most pairs are whole: a copy of known length is a move
          if (s.c == 3 && 2 * q + 1 < s.w) std::memcpy(square + r * 6, from, 6 * sizeof(T));
          else std::memcpy(square + r * pair, from, sizeof(T) * (2 * q + 1 < s.w ? pair : s.c));
        }
        std::memcpy(to, square, sizeof square);
      }
}

}  // namespace

bool fits_squares(const ConvShape& s) {
  const auto fits = [&](int64_t taps, int64_t size, int64_t out) { return taps <= s.pad + 4 && out == (size + 1) / 2; };
  return s.stride == 2 && s.pad <= 4 && 4 * s.c <= square_channels && fits(s.kh, s.h, s.oh()) && fits(s.kw, s.w, s.ow());
}

void to_squares(const ConvShape& s, Buffer x, Buffer squares) {
  with_type(x.type, [&](auto zero) {
    using T = decltype(zero);
    gather(s, static_cast<const T*>(x.data), static_cast<T*>(squares.data));
  });
}

void filter_to_squares(const ConvShape& s, const float* filter, float* folded) {
  std::fill_n(folded, square_taps * square_taps * square_channels * s.o, 0.f);
  each_tap(s, [&](int64_t tap, int64_t place) { std::copy_n(filter + tap, s.o, folded + place); });
}

void filter_from_squares(const ConvShape& s, const float* folded, float* filter) {
  each_tap(s, [&](int64_t tap, int64_t place) { std::copy_n(folded + place, s.o, filter + tap); });
}

}  // namespace onecycle
