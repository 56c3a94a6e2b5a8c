// One image to its place in the batch [N,H,W,3]: averaged down where fastai does, sampled through warp and
// affine map in one go (torch's grid_sample: bilinear, align_corners=True), flipped, cropped, lit in logit
// space, normalised, stored. src/vision/transforms/apply-plan.ts is the referee and the source of every rule.
//
// The output goes in strips of a row, so that all that lies between the steps stays in the first cache, and
// each step is a loop that the compiler vectorises; only the pixels themselves are fetched one by one.
// Coordinates are double: in float32 the 2e-5 that we are held to would be lost at 500 pixels already.
#include "render.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "area-shrink.h"
#include "bf16.h"
#include "lighting.h"

namespace onecycle {
namespace {

constexpr int strip_max = 256;
/** Further out lies nothing: the points where a warp divides by almost nothing. */
constexpr double farthest = 1e9;

/** What the steps hand to each other for one strip. */
struct Strip {
  double at[strip_max];                                // the index along the row of the grid
  double column[strip_max], row[strip_max];            // where the grid looks, in pixels of the picture
  int32_t left[strip_max], top[strip_max];             // the first of the two columns and rows around it
  float wx[strip_max], wr[strip_max], wy[strip_max], wb[strip_max];    // both weights together, the second's
  uint32_t p00[strip_max], p01[strip_max], p10[strip_max], p11[strip_max];
  float value[3][strip_max];
};

/** A coordinate mirrored at the centres of the first and the last pixel, until it lies between them. */
inline double reflected(double at, double span, double inverse) {
  double d = std::fabs(at);
  d -= std::floor(d * inverse) * 2 * span;
  d = d > span ? 2 * span - d : d;
  return within(d, 0.0, span);
}

/** The coordinates of an axis of `size` pixels, moved inside; with zeros, just outside is far enough. */
void settle(double* at, int n, int64_t size, Padding padding) {
  const double span = static_cast<double>(size - 1), inverse = span > 0 ? 0.5 / span : 0;
  if (padding == Padding::reflection) {
#pragma omp simd
    for (int k = 0; k < n; k++) at[k] = reflected(at[k], span, inverse);
  } else {
    const double low = padding == Padding::zeros ? -1 : 0, high = padding == Padding::zeros ? span + 1 : span;
#pragma omp simd
    for (int k = 0; k < n; k++) at[k] = within(at[k], low, high);
  }
}

/**
 * The two pixels around each coordinate, and their weights: a tent of width 1 over each pixel. The first is
 * kept so far from the end that the second exists; where the tent does not reach, the weight is 0. Inside
 * the picture both together are 1 exactly, so that `both * a + w1 * (b - a)` leaves flat colours as they
 * are: behind it, one unit in the last place below white is much in logit space.
 */
void neighbours(const double* at, int n, int64_t size, int32_t* first, float* both, float* w1) {
  const double last = static_cast<double>(std::max<int64_t>(size - 2, 0)), second = size > 1 ? 1 : 0;
#pragma omp simd
  for (int k = 0; k < n; k++) {
    const double base = within(std::floor(at[k]), 0.0, last), d = at[k] - base;
    first[k] = static_cast<int32_t>(base);
    const double next = second * std::max(0.0, 1 - std::fabs(d - 1));
    both[k] = static_cast<float>(std::max(0.0, 1 - std::fabs(d)) + next);
    w1[k] = static_cast<float>(next);
  }
}

/** The grid's map, warp then affine, to pixels of a picture: (x, y, 1) -> (column * z, row * z, z). */
struct GridMap {
  double column[3], row[3], z[3];
  GridMap(const RenderPlan& p, int64_t h, int64_t w) {
    const double *g = p.warp, *a = p.affine;
    for (int k = 0; k < 3; k++) {
      z[k] = k < 2 ? g[6 + k] : 1;
      // -1..1 becomes 0..size-1
      column[k] = (a[0] * g[k] + a[1] * g[3 + k] + (a[2] + 1) * z[k]) / 2 * static_cast<double>(w - 1);
      row[k] = (a[3] * g[k] + a[4] * g[3 + k] + (a[5] + 1) * z[k]) / 2 * static_cast<double>(h - 1);
    }
  }
};

/** Where row or column `fixed` of the grid looks, for the indices s.at along it. */
void locate(const GridMap& map, const RenderPlan& p, bool transposed, double fixed, int n, Strip& s) {
  const double step_x = p.grid_w > 1 ? 2.0 / static_cast<double>(p.grid_w - 1) : 0;
  const double step_y = p.grid_h > 1 ? 2.0 / static_cast<double>(p.grid_h - 1) : 0;
  // of a line of the grid only one coordinate varies: each term is slope * at + base
  const auto slope = [&](const double* f) { return transposed ? f[1] * step_y : f[0] * step_x; };
  const auto base = [&](const double* f) {
    return transposed ? f[0] * (fixed * step_x - 1) - f[1] + f[2] : f[1] * (fixed * step_y - 1) - f[0] + f[2];
  };
  const double cs = slope(map.column), cb = base(map.column), rs = slope(map.row), rb = base(map.row);
  const double zs = slope(map.z), zb = base(map.z);
#pragma omp simd
  for (int k = 0; k < n; k++) {
    const double inverse = 1 / (zs * s.at[k] + zb);
    const double column = (cs * s.at[k] + cb) * inverse, row = (rs * s.at[k] + rb) * inverse;
    s.column[k] = std::fabs(column) < farthest ? column : 0;
    s.row[k] = std::fabs(row) < farthest ? row : 0;
  }
}

/** Six bytes from `at` on, two pixels; a picture of under eight bytes is not read this way. */
inline uint64_t two_pixels(const uint8_t* bytes, int32_t at, int32_t last) {
  const int32_t from = std::min(at, last);
  uint64_t pair;
  std::memcpy(&pair, bytes + from, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  pair = __builtin_bswap64(pair);
#endif
  return pair >> (8 * (at - from));
}

void blend(const uint8_t* bytes, int64_t h, int64_t w, int n, Strip& s) {
  const int32_t width = static_cast<int32_t>(w), last = static_cast<int32_t>(h * w * 3 - 8);
  const int32_t down = h > 1 ? width : 0;
  for (int k = 0; k < n; k++) {
    const int32_t at = s.top[k] * width + s.left[k];
    const uint64_t upper = two_pixels(bytes, 3 * at, last), lower = two_pixels(bytes, 3 * (at + down), last);
    s.p00[k] = static_cast<uint32_t>(upper), s.p01[k] = static_cast<uint32_t>(upper >> 24);
    s.p10[k] = static_cast<uint32_t>(lower), s.p11[k] = static_cast<uint32_t>(lower >> 24);
  }
#pragma omp simd
  for (int k = 0; k < n; k++) {
    const auto byte = [](uint32_t p, int c) { return static_cast<float>(static_cast<int32_t>((p >> (8 * c)) & 255)); };
    for (int c = 0; c < 3; c++) {
      const float a0 = byte(s.p00[k], c), a1 = byte(s.p10[k], c);
      const float upper = s.wx[k] * a0 + s.wr[k] * (byte(s.p01[k], c) - a0);
      const float lower = s.wx[k] * a1 + s.wr[k] * (byte(s.p11[k], c) - a1);
      s.value[c][k] = (s.wy[k] * upper + s.wb[k] * (lower - upper)) / 255.f;
    }
  }
}

void blend(const float* values, int64_t h, int64_t w, int n, Strip& s) {
  const int64_t right = w > 1 ? 3 : 0, down = h > 1 ? 3 * w : 0;
  for (int k = 0; k < n; k++) {
    const float* p = values + 3 * (s.top[k] * w + s.left[k]);
    for (int c = 0; c < 3; c++) {
      const float upper = s.wx[k] * p[c] + s.wr[k] * (p[c + right] - p[c]);
      const float lower = s.wx[k] * p[c + down] + s.wr[k] * (p[c + down + right] - p[c + down]);
      s.value[c][k] = s.wy[k] * upper + s.wb[k] * (lower - upper);
    }
  }
}

/** Pixels as they are, of row or column `fixed`. */
template <typename T>
void copy(const T* pixels, int64_t w, bool transposed, int64_t fixed, int n, Strip& s) {
  for (int k = 0; k < n; k++) {
    const auto at = static_cast<int64_t>(s.at[k]);
    const T* p = pixels + 3 * (transposed ? at * w + fixed : fixed * w + at);
    for (int c = 0; c < 3; c++) s.value[c][k] = sizeof(T) == 1 ? static_cast<float>(p[c]) / 255.f : static_cast<float>(p[c]);
  }
}

template <typename O>
void store(Strip& s, int n, const ChannelStats* stats, O* out) {
  for (int c = 0; stats && c < 3; c++) {
    const float mean = stats->mean[c], std = stats->std[c];
#pragma omp simd
    for (int k = 0; k < n; k++) s.value[c][k] = (s.value[c][k] - mean) / std;
  }
  for (int k = 0; k < n; k++) {
    for (int c = 0; c < 3; c++) out[3 * k + c] = rounded<O>(s.value[c][k]);
  }
}

template <typename O>
void fill(int64_t n, const ChannelStats* stats, O* out) {
  for (int64_t k = 0; k < 3 * n; k++) out[k] = rounded<O>(stats ? (0 - stats->mean[k % 3]) / stats->std[k % 3] : 0);
}

/** Every byte of every channel has one result, rounded to float32 where torch rounds. */
template <typename O>
void look_up(const uint8_t* bytes, int64_t pixels, const ChannelStats* stats, O* out) {
  O table[3][256];
  for (int c = 0; c < 3; c++) {
    for (int byte = 0; byte < 256; byte++) {
      const float x = static_cast<float>(byte) / 255.f;
      table[c][byte] = rounded<O>(stats ? (x - stats->mean[c]) / stats->std[c] : x);
    }
  }
  for (int64_t k = 0; k < 3 * pixels; k += 3) {
    out[k] = table[0][bytes[k]], out[k + 1] = table[1][bytes[k + 1]], out[k + 2] = table[2][bytes[k + 2]];
  }
}

/** The index in `size` of output `at`; -1 where padding is zero. */
double cropped(int64_t at, int64_t size, Padding padding) {
  const auto position = static_cast<double>(at), span = static_cast<double>(size - 1);
  if (at >= 0 && at < size) return position;
  if (padding == Padding::zeros) return -1;
  if (padding == Padding::border) return within(position, 0.0, span);
  return std::round(reflected(position, span, span > 0 ? 0.5 / span : 0));
}

template <typename T, typename O>
void render_rows(const T* pixels, int64_t h, int64_t w, const RenderPlan& p, const ChannelStats* stats, O* out) {
  const bool sampled = p.grid_h > 0, transposed = (p.dihedral & 4) != 0;
  const int64_t grid_h = sampled ? p.grid_h : h, grid_w = sampled ? p.grid_w : w;
  // what varies along a row of the output is a column of the grid, or a row of it when transposed
  const int64_t across = transposed ? grid_w : grid_h, along = transposed ? grid_h : grid_w;
  const bool flip_across = (p.dihedral & (transposed ? 2 : 1)) != 0;
  const bool flip_along = (p.dihedral & (transposed ? 1 : 2)) != 0;
  std::vector<double> columns(static_cast<size_t>(p.out_w));
  for (int64_t c = 0; c < p.out_w; c++) columns[static_cast<size_t>(c)] = cropped(c + p.crop_column, along, p.padding);
  // zero padding is at both ends only: it comes behind the lighting, and stays zero
  int64_t begin = 0, end = p.out_w;
  while (begin < end && columns[static_cast<size_t>(begin)] < 0) begin++;
  while (end > begin && columns[static_cast<size_t>(end - 1)] < 0) end--;
  if (flip_along) {
    for (auto& column : columns) column = static_cast<double>(along - 1) - column;
  }
  const GridMap map(p, h, w);
  Strip s;
  for (int64_t r = 0; r < p.out_h; r++) {
    O* line = out + r * p.out_w * 3;
    const double row = cropped(r + p.crop_row, across, p.padding);
    if (row < 0) {
      fill(p.out_w, stats, line);
      continue;
    }
    const double fixed = flip_across ? static_cast<double>(across - 1) - row : row;
    fill(begin, stats, line);
    for (int64_t c = begin; c < end; c += strip_max) {
      const int n = static_cast<int>(std::min<int64_t>(strip_max, end - c));
      std::copy_n(columns.data() + c, n, s.at);
      if (sampled) {
        locate(map, p, transposed, fixed, n, s);
        settle(s.column, n, w, p.padding), settle(s.row, n, h, p.padding);
        neighbours(s.column, n, w, s.left, s.wx, s.wr), neighbours(s.row, n, h, s.top, s.wy, s.wb);
        blend(pixels, h, w, n, s);
      } else {
        copy(pixels, w, transposed, static_cast<int64_t>(fixed), n, s);
      }
      if (p.lit) {
        for (auto& channel : s.value) relight(channel, n, static_cast<float>(p.scale), static_cast<float>(p.shift));
      }
      store(s, n, stats, line + 3 * c);
    }
    fill(p.out_w - end, stats, line + 3 * end);
  }
}

template <typename O>
void render_as(const Picture& picture, const RenderPlan& p, const ChannelStats* stats, O* out) {
  const int64_t h = picture.h, w = picture.w;
  const bool untouched = p.grid_h == 0 && !p.lit && p.dihedral == 0 && p.crop_row == 0 && p.crop_column == 0 &&
                         p.out_h == h && p.out_w == w;
  if (untouched && picture.bytes) return look_up(picture.bytes, h * w, stats, out);
  if (p.shrink_h > 0) {
    const auto small = area_shrink(picture, p.shrink_h, p.shrink_w);
    return render_rows(small.data(), p.shrink_h, p.shrink_w, p, stats, out);
  }
  if (picture.floats) return render_rows(picture.floats, h, w, p, stats, out);
  // blend reads eight bytes at a time
  if (h * w * 3 >= 8) return render_rows(picture.bytes, h, w, p, stats, out);
  std::vector<float> units(static_cast<size_t>(h * w * 3));
  for (size_t k = 0; k < units.size(); k++) units[k] = static_cast<float>(picture.bytes[k]) / 255.f;
  return render_rows(units.data(), h, w, p, stats, out);
}

}  // namespace

void render(const Picture& picture, const RenderPlan& plan, const ChannelStats* stats, Buffer out) {
  if (out.type == Type::f32) return render_as(picture, plan, stats, static_cast<float*>(out.data));
  render_as(picture, plan, stats, static_cast<bf16*>(out.data));
}

}  // namespace onecycle
