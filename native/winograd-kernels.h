// The kernels of winograd.h for one storage type, with AVX-512 intrinsics. The files that include this are
// compiled for AVX-512 whatever the rest is compiled for, so nothing here may instantiate what another file
// could share: no std, everything internal.
#pragma once
#include <omp.h>

#include "winograd-transforms.h"
#include "winograd.h"

namespace onecycle {
namespace {

constexpr int points = 36;
constexpr int64_t panel = 64;  // outputs that a panel of a packed filter holds, four vectors

/** A patch of an image around a tile: where each of its pixels lies, or `nothing` outside the image. */
template <typename T, int Size>
struct Patch {
  const T* at[Size][Size];
  template <int Taps>
  Patch(const WinogradShape<Taps>& s, const T* image, int64_t channels, int64_t tile, int64_t border, const T* nothing) {
    const int64_t column = tile % s.columns(), row = tile / s.columns() % s.rows(), n = tile / s.columns() / s.rows();
    for (int i = 0; i < Size; i++)
      for (int j = 0; j < Size; j++) {
        const int64_t y = row * s.outputs + i - border, x = column * s.outputs + j - border;
        const bool inside = tile >= 0 && y >= 0 && y < s.h && x >= 0 && x < s.w;
        at[i][j] = inside ? image + ((n * s.h + y) * s.w + x) * channels : nothing;
      }
  }
};

// c[MR][16 NV] (+)= sum over k of a(row, k) * b(k, column); k counts what one instruction multiplies
template <typename T, int MR, int NV>
void multiply_tile(const T* a, int64_t a_row, int64_t a_k, const T* b, int64_t k, bool onto, float* c, int64_t c_row);

template <typename T, int MR>
inline void multiply_columns(int vectors, const T* a, int64_t a_row, int64_t a_k, const T* b, int64_t k, bool onto,
                             float* c, int64_t c_row) {
  if (vectors == 4) return multiply_tile<T, MR, 4>(a, a_row, a_k, b, k, onto, c, c_row);
  if (vectors == 3) return multiply_tile<T, MR, 3>(a, a_row, a_k, b, k, onto, c, c_row);
  if (vectors == 2) return multiply_tile<T, MR, 2>(a, a_row, a_k, b, k, onto, c, c_row);
  multiply_tile<T, MR, 1>(a, a_row, a_k, b, k, onto, c, c_row);
}

// any number of rows, `step` of the widest kernel at a time
template <typename T, int Widest>
inline void multiply(int64_t rows, int vectors, const T* a, int64_t a_row, int64_t a_k, const T* b, int64_t k, bool onto,
                     float* c, int64_t c_row) {
  int64_t r = 0;
  for (; r + Widest <= rows; r += Widest)
    multiply_columns<T, Widest>(vectors, a + r * a_row, a_row, a_k, b, k, onto, c + r * c_row, c_row);
  for (; r + 2 <= rows; r += 2) multiply_columns<T, 2>(vectors, a + r * a_row, a_row, a_k, b, k, onto, c + r * c_row, c_row);
  if (r < rows) multiply_columns<T, 1>(vectors, a + r * a_row, a_row, a_k, b, k, onto, c + r * c_row, c_row);
}

template <typename T>
struct Storage;  // pair: how many k one instruction multiplies; load, store, and stores of two that it takes together

// the transform of what one instruction multiplies: store(p, value) or, of two, store(p, first, second)
template <typename T, int From, int To, void (*Transform)(const vec*, vec*), typename Load, typename Store>
inline void transform_pairs(Load load, Store store) {
  if constexpr (Storage<T>::pair == 2) {
    twice_paired<From, To, Transform>(load, [&](int i, int j, vec first, vec second) { store(i * To + j, first, second); });
  } else {
    twice<From, To, Transform>([&](int i, int j) { return load(0, i, j); }, [&](int i, int j, vec v) { store(i * To + j, v); });
  }
}

alignas(64) constexpr uint16_t zeros[2 * 4096] = {};

inline int64_t width_of(int64_t outputs, int64_t begin) { return outputs - begin < panel ? outputs - begin : panel; }

}  // namespace

template <typename T, int Taps>
void WinogradKernels<T, Taps>::pack(const float* filter, int64_t c, int64_t o, bool turned, T* packed, int threads) {
  constexpr int64_t pair = Storage<T>::pair;
  const int64_t inputs = turned ? o : c, outputs = turned ? c : o, stride = winograd_stride<T>(inputs, outputs);
  // what the cache cannot hold goes past it
  const bool large = points * stride * static_cast<int64_t>(sizeof(T)) > 8 << 20;
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
  for (int64_t from = 0; from < inputs; from += 16)
    for (int64_t output = 0; output < outputs; output += 16) {
      // the taps of 16 inputs, each for 16 outputs: as they lie, or transposed and back to front
      constexpr int all = Taps * Taps;
      vec taps[all][16];
      for (int q = 0; q < all; q++) {
        const int64_t row = turned ? output : from, column = turned ? from : output;
        const float* at = filter + ((turned ? all - 1 - q : q) * c + row) * o + column;
        for (int i = 0; i < 16; i++) taps[q][i] = _mm512_loadu_ps(at + i * o);
        if (turned) transpose(taps[q]);
      }
      const int64_t begin = output / panel * panel, width = width_of(outputs, begin);
      for (int64_t i = 0; i < 16; i += pair) {
        T* to = packed + begin * inputs + (from + i) * width + (output - begin) * pair;
        const auto load = [&](int64_t k, int r, int t) { return taps[r * Taps + t][i + k]; };
        if (large) transform_pairs<T, Taps, 6, filter_transform<Taps>>(load, [&](int p, auto... v) { Storage<T>::stream(to + p * stride, v...); });
        else transform_pairs<T, Taps, 6, filter_transform<Taps>>(load, [&](int p, auto... v) { Storage<T>::store(to + p * stride, v...); });
      }
    }
}

template <typename T, int Taps>
void WinogradKernels<T, Taps>::forward(const WinogradShape<Taps>& s, const T* x, const T* packed, const float* bias, bool relu, T* y,
                                 uint8_t* scratch, int64_t block, int threads) {
  constexpr int outputs = WinogradShape<Taps>::outputs;
  const int64_t tiles = s.tiles(), c = s.c, o = s.o;
  const auto* nothing = reinterpret_cast<const T*>(zeros);
  const int64_t input_stride = winograd_stride<T>(block, c), product_stride = winograd_stride<float>(block, panel);
  const int64_t packed_stride = winograd_stride<T>(c, o);
  const int64_t input_bytes = points * input_stride * static_cast<int64_t>(sizeof(T));
  const int64_t thread_bytes = input_bytes + points * product_stride * static_cast<int64_t>(sizeof(float));
#pragma omp parallel num_threads(threads)
  {
    const int64_t t = omp_get_thread_num(), end = tiles * (t + 1) / omp_get_num_threads();
    T* inputs = reinterpret_cast<T*>(scratch + t * thread_bytes);
    float* products = reinterpret_cast<float*>(scratch + t * thread_bytes + input_bytes);
    for (int64_t from = tiles * t / omp_get_num_threads(); from < end; from += block) {
      const int64_t count = end - from < block ? end - from : block;
      for (int64_t i = 0; i < count; i++) {
        const Patch<T, 6> patch(s, x, c, from + i, s.before, nothing);
        for (int64_t k = 0; k < c; k += 16) {
          T* to = inputs + i * c + k;
          twice<6, 6, input_transform>([&](int r, int t) { return Storage<T>::load(patch.at[r][t] + k); },
                                       [&](int r, int t, vec v) { Storage<T>::store(to + (6 * r + t) * input_stride, v); });
        }
      }
      for (int64_t begin = 0; begin < o; begin += panel) {
        const int64_t width = width_of(o, begin);
        for (int p = 0; p < points; p++)
          multiply<T, 6>(count, static_cast<int>(width / 16), inputs + p * input_stride, c, Storage<T>::pair,
                         packed + p * packed_stride + begin * c, s.used / Storage<T>::pair, false,
                         products + p * product_stride, panel);
        for (int64_t i = 0; i < count; i++) {
          const int64_t tile = from + i, left = tile % s.columns() * s.outputs, top = tile / s.columns() % s.rows() * s.outputs;
          T* image = y + tile / s.columns() / s.rows() * s.h * s.w * o + begin;
          for (int64_t k = 0; k < width; k += 16) {
            const vec shift = bias ? _mm512_loadu_ps(bias + begin + k) : _mm512_setzero_ps();
            const float* at = products + i * panel + k;
            twice<6, outputs, output_transform<outputs>>(
                [&](int r, int t) { return _mm512_loadu_ps(at + (6 * r + t) * product_stride); },
                [&](int r, int t, vec v) {
                  if (top + r >= s.h || left + t >= s.w) return;
                  v = add(v, shift);
                  // the second of two operands is what a NaN yields: it stays one
                  if (relu) v = _mm512_max_ps(_mm512_setzero_ps(), v);
                  Storage<T>::store(image + ((top + r) * s.w + left + t) * o + k, v);
                });
          }
        }
      }
    }
  }
}

namespace {

// Tiles `from` to `end` of which the i-th pair is transformed: to inputs [36][block/pair][c][pair] and to gradients
// [36][panels of o][block/pair][64][pair]. A tile too few is one of zeros.
template <typename T, int Taps>
inline void transform_pair(const WinogradShape<Taps>& s, const T* x, const T* dy, int64_t from, int64_t end, int64_t i,
                           int64_t block, T* inputs, T* gradients) {
  constexpr int64_t pair = Storage<T>::pair;
  const int64_t input_stride = winograd_stride<T>(block, s.c), gradient_stride = winograd_stride<T>(block, s.o);
  const auto* nothing = reinterpret_cast<const T*>(zeros);
  const int64_t first = from + i * pair, second = first + pair - 1 < end ? first + pair - 1 : -1;
  constexpr int outputs = WinogradShape<Taps>::outputs;
  const Patch<T, 6> images[2] = {{s, x, s.c, first, s.before, nothing}, {s, x, s.c, second, s.before, nothing}};
  const Patch<T, outputs> slopes[2] = {{s, dy, s.o, first, 0, nothing}, {s, dy, s.o, second, 0, nothing}};
  for (int64_t k = 0; k < s.c; k += 16) {
    T* to = inputs + (i * s.c + k) * pair;
    transform_pairs<T, 6, 6, input_transform>(
        [&](int64_t half, int r, int t) { return Storage<T>::load(images[half].at[r][t] + k); },
        [&](int p, auto... v) { Storage<T>::store(to + p * input_stride, v...); });
  }
  for (int64_t k = 0; k < s.o; k += 16) {
    const int64_t begin = k / panel * panel, width = width_of(s.o, begin);
    T* to = gradients + begin * block + (i * width + k - begin) * pair;
    transform_pairs<T, outputs, 6, gradient_transform<outputs>>(
        [&](int64_t half, int r, int t) { return Storage<T>::load(slopes[half].at[r][t] + k); },
        [&](int p, auto... v) { Storage<T>::store(to + p * gradient_stride, v...); });
  }
}

// a piece of the filter: `channels` rows and a panel of columns; its sums lie [36][channels][64]
struct Piece {
  int64_t first, rows, begin, width, stride;
  template <int Taps>
  Piece(const WinogradShape<Taps>& s, int64_t channels, int64_t job) {
    const int64_t panels = (s.o + panel - 1) / panel;
    first = job / panels * channels, begin = job % panels * panel;
    rows = s.used - first < channels ? s.used - first : channels, width = width_of(s.o, begin);
    stride = winograd_stride<float>(channels, panel);
  }
};

template <typename T, int Taps>
inline void multiply_piece(const WinogradShape<Taps>& s, const Piece& piece, int64_t block, int64_t pairs, const T* inputs,
                           const T* gradients, bool onto, float* sums) {
  constexpr int64_t pair = Storage<T>::pair;
  for (int p = 0; p < points; p++)
    multiply<T, 4>(piece.rows, static_cast<int>(piece.width / 16),
                   inputs + p * winograd_stride<T>(block, s.c) + piece.first * pair, pair, s.c * pair,
                   gradients + p * winograd_stride<T>(block, s.o) + piece.begin * block, pairs, onto,
                   sums + p * piece.stride, panel);
}

// one row of a piece, added up over `copies` of the sums, to the filter's taps
template <int Taps>
inline void finish_row(const WinogradShape<Taps>& s, const Piece& piece, int64_t row, const float* sums, int64_t copies,
                       int64_t copy_size, float* dfilter) {
  for (int64_t k = 0; k < piece.width; k += 16) {
    const float* at = sums + row * panel + k;
    float* to = dfilter + (piece.first + row) * s.o + piece.begin + k;
    twice<6, Taps, tap_transform<Taps>>(
        [&](int r, int t) {
          const float* here = at + (6 * r + t) * piece.stride;
          vec m = _mm512_loadu_ps(here);
          for (int64_t copy = 1; copy < copies; copy++) m = add(m, _mm512_loadu_ps(here + copy * copy_size));
          return m;
        },
        [&](int r, int t, vec g) { _mm512_storeu_ps(to + (r * Taps + t) * s.c * s.o, g); });
  }
}

}  // namespace

// All threads transform a block of tiles, then each multiplies pieces of the filter.
template <typename T, int Taps>
void WinogradKernels<T, Taps>::filter_grad(const WinogradShape<Taps>& s, const T* x, const T* dy, float* dfilter, T* inputs,
                                     T* gradients, float* products, const WinogradBlocks& blocks) {
  constexpr int64_t pair = Storage<T>::pair;
  const int64_t tiles = s.tiles(), block = blocks.tiles;
  const int64_t job_size = points * winograd_stride<float>(blocks.channels, panel);
#pragma omp parallel num_threads(blocks.threads)
  for (int64_t from = 0; from < tiles; from += block) {
    const int64_t end = tiles - from < block ? tiles : from + block, pairs = (end - from + pair - 1) / pair;
#pragma omp for schedule(static)
    for (int64_t i = 0; i < pairs; i++) transform_pair(s, x, dy, from, end, i, block, inputs, gradients);
#pragma omp for schedule(static)
    for (int64_t job = 0; job < blocks.jobs; job++) {
      const Piece piece(s, blocks.channels, job);
      // sums of one block only need not be kept
      float* sums = products + (tiles <= block ? omp_get_thread_num() : job) * job_size;
      multiply_piece(s, piece, block, pairs, inputs, gradients, from > 0, sums);
      if (end < tiles) continue;
      for (int64_t row = 0; row < piece.rows; row++) finish_row(s, piece, row, sums, 1, 0, dfilter);
    }
  }
}

// Each thread has tiles and sums of its own, which stay in its second-level cache: for filters that are small.
template <typename T, int Taps>
void WinogradKernels<T, Taps>::filter_grad_apart(const WinogradShape<Taps>& s, const T* x, const T* dy, float* dfilter, T* inputs,
                                           T* gradients, float* products, const WinogradBlocks& blocks) {
  constexpr int64_t pair = Storage<T>::pair;
  const int64_t tiles = s.tiles(), block = blocks.tiles;
  const int64_t job_size = points * winograd_stride<float>(blocks.channels, panel), copy_size = blocks.jobs * job_size;
#pragma omp parallel num_threads(blocks.threads)
  {
    const int64_t t = omp_get_thread_num(), share = (tiles / pair + blocks.threads) / blocks.threads * pair;
    const int64_t begin = t * share, last = begin + share < tiles ? begin + share : tiles;
    T* own_inputs = inputs + t * points * winograd_stride<T>(block, s.c);
    T* own_gradients = gradients + t * points * winograd_stride<T>(block, s.o);
    float* sums = products + t * copy_size;
    // a thread without tiles has sums of nothing
    if (begin >= last)
      for (int64_t i = 0; i < copy_size; i++) sums[i] = 0;
    for (int64_t from = begin; from < last; from += block) {
      const int64_t end = last - from < block ? last : from + block, pairs = (end - from + pair - 1) / pair;
      for (int64_t i = 0; i < pairs; i++) transform_pair(s, x, dy, from, end, i, block, own_inputs, own_gradients);
      for (int64_t job = 0; job < blocks.jobs; job++)
        multiply_piece(s, Piece(s, blocks.channels, job), block, pairs, own_inputs, own_gradients, from > begin,
                       sums + job * job_size);
    }
#pragma omp barrier
#pragma omp for collapse(2) schedule(static)
    for (int64_t job = 0; job < blocks.jobs; job++)
      for (int64_t row = 0; row < blocks.channels; row++) {
        const Piece piece(s, blocks.channels, job);
        if (row < piece.rows) finish_row(s, piece, row, products + job * job_size, blocks.threads, copy_size, dfilter);
      }
  }
}

}  // namespace onecycle
