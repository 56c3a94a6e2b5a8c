// fastai averages an image down before it samples it where the grid would skip over pixels: torch's
// interpolate(mode='area'). src/vision/transforms/resample.ts is the referee.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "render.h"

namespace onecycle {

/** The input cells that output i of `out` touches. */
struct Cells {
  int64_t begin, end;
  Cells(int64_t i, int64_t size, int64_t out) : begin(i * size / out), end(((i + 1) * size + out - 1) / out) {}
  int64_t count() const { return end - begin; }
};

/** torch's `area`: each output is the mean of the input cells that it touches, summed in `Sum`. */
template <typename Sum, typename T>
std::vector<float> area_shrink(const T* pixels, int64_t h, int64_t w, int64_t out_h, int64_t out_w) {
  std::vector<float> out(static_cast<size_t>(out_h * out_w * 3));
  std::vector<Sum> sums(static_cast<size_t>(w * 3));
  std::vector<Cells> columns;
  for (int64_t j = 0; j < out_w; j++) columns.emplace_back(j, w, out_w);
  const float unit = sizeof(T) == 1 ? 255 : 1;
  float* to = out.data();
  for (int64_t i = 0; i < out_h; i++) {
    const Cells rows(i, h, out_h);
    std::fill(sums.begin(), sums.end(), Sum{0});
    Sum* sum = sums.data();
    for (int64_t y = rows.begin; y < rows.end; y++) {
      const T* line = pixels + y * w * 3;
#pragma omp simd
      for (int64_t k = 0; k < 3 * w; k++) sum[k] += static_cast<Sum>(line[k]);
    }
    for (const auto& cells : columns) {
      const Sum* from = sum + 3 * cells.begin;
      Sum total[3] = {from[0], from[1], from[2]};
      for (int64_t x = 1; x < cells.count(); x++) {
        for (int c = 0; c < 3; c++) total[c] += from[3 * x + c];
      }
      const float all = static_cast<float>(rows.count() * cells.count()) * unit;
      for (int c = 0; c < 3; c++) *to++ = static_cast<float>(total[c]) / all;
    }
  }
  return out;
}

/** Whole sums are exact and quick, as long as those of 255 fit. */
inline std::vector<float> area_shrink(const Picture& picture, int64_t out_h, int64_t out_w) {
  const int64_t h = picture.h, w = picture.w;
  if (picture.floats) return area_shrink<double>(picture.floats, h, w, out_h, out_w);
  if ((h / out_h + 2) * (w / out_w + 2) < (1 << 24)) return area_shrink<uint32_t>(picture.bytes, h, w, out_h, out_w);
  return area_shrink<double>(picture.bytes, h, w, out_h, out_w);
}

}  // namespace onecycle
