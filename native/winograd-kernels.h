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
  Patch(const WinogradShape& s, const T* image, int64_t channels, int64_t tile, int border, const T* nothing) {
    const int64_t column = tile % s.columns(), row = tile / s.columns() % s.rows(), n = tile / s.columns() / s.rows();
    for (int i = 0; i < Size; i++)
      for (int j = 0; j < Size; j++) {
        const int64_t y = row * 4 + i - border, x = column * 4 + j - border;
        const bool inside = tile >= 0 && y >= 0 && y < s.h && x >= 0 && x < s.w;
        at[i][j] = inside ? image + ((n * s.h + y) * s.w + x) * channels : nothing;
      }
  }
  void load(int64_t channel, vec (*out)[Size]) const;
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
struct Storage;  // pair: how many k one instruction multiplies; store, and stores of two values that it takes together

alignas(64) constexpr uint16_t zeros[2 * 4096] = {};

inline int64_t width_of(int64_t outputs, int64_t begin) { return outputs - begin < panel ? outputs - begin : panel; }

}  // namespace

template <typename T>
void WinogradKernels<T>::pack(const float* filter, int64_t c, int64_t o, bool turned, T* packed, int threads) {
  constexpr int64_t pair = Storage<T>::pair;
  const int64_t inputs = turned ? o : c, outputs = turned ? c : o, stride = winograd_stride<T>(inputs, outputs);
  // what the cache cannot hold goes past it
  const bool large = points * stride * static_cast<int64_t>(sizeof(T)) > 8 << 20;
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
  for (int64_t from = 0; from < inputs; from += 16)
    for (int64_t output = 0; output < outputs; output += 16) {
      // the taps of 16 inputs, each for 16 outputs: as they lie, or transposed and back to front
      vec taps[9][16];
      for (int q = 0; q < 9; q++) {
        const int64_t row = turned ? output : from, column = turned ? from : output;
        const float* at = filter + ((turned ? 8 - q : q) * c + row) * o + column;
        for (int i = 0; i < 16; i++) taps[q][i] = _mm512_loadu_ps(at + i * o);
        if (turned) transpose(taps[q]);
      }
      const int64_t begin = output / panel * panel, width = width_of(outputs, begin);
      for (int64_t i = 0; i < 16; i += pair) {
        vec u[2][6][6];
        for (int64_t k = 0; k < pair; k++) {
          vec g[3][3];
          for (int q = 0; q < 9; q++) g[q / 3][q % 3] = taps[q][i + k];
          twice<3, 6, filter_transform>(g, u[k]);
        }
        T* to = packed + begin * inputs + (from + i) * width + (output - begin) * pair;
        for (int p = 0; p < points; p++) {
          const vec first = u[0][p / 6][p % 6], second = u[pair - 1][p / 6][p % 6];
          if (large) Storage<T>::stream_pair(to + p * stride, first, second);
          else Storage<T>::store_pair(to + p * stride, first, second);
        }
      }
    }
}

template <typename T>
void WinogradKernels<T>::forward(const WinogradShape& s, const T* x, const T* packed, const float* bias, bool relu, T* y,
                                 uint8_t* scratch, int64_t block, int threads) {
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
        const Patch<T, 6> patch(s, x, c, from + i, 1, nothing);
        for (int64_t k = 0; k < c; k += 16) {
          vec d[6][6], v[6][6];
          patch.load(k, d);
          twice<6, 6, input_transform>(d, v);
          for (int p = 0; p < points; p++) Storage<T>::store(inputs + p * input_stride + i * c + k, v[p / 6][p % 6]);
        }
      }
      for (int64_t begin = 0; begin < o; begin += panel) {
        const int64_t width = width_of(o, begin);
        for (int p = 0; p < points; p++)
          multiply<T, 6>(count, static_cast<int>(width / 16), inputs + p * input_stride, c, Storage<T>::pair,
                         packed + p * packed_stride + begin * c, c / Storage<T>::pair, false,
                         products + p * product_stride, panel);
        for (int64_t i = 0; i < count; i++) {
          const int64_t tile = from + i, left = tile % s.columns() * 4, top = tile / s.columns() % s.rows() * 4;
          T* image = y + tile / s.columns() / s.rows() * s.h * s.w * o + begin;
          for (int64_t k = 0; k < width; k += 16) {
            vec m[6][6], out[4][4];
            for (int p = 0; p < points; p++) m[p / 6][p % 6] = _mm512_loadu_ps(products + p * product_stride + i * panel + k);
            twice<6, 4, output_transform>(m, out);
            const vec shift = bias ? _mm512_loadu_ps(bias + begin + k) : _mm512_setzero_ps();
            for (int64_t r = 0; r < 4 && top + r < s.h; r++)
              for (int64_t q = 0; q < 4 && left + q < s.w; q++) {
                vec value = add(out[r][q], shift);
                // a NaN stays one
                if (relu) value = _mm512_mask_mov_ps(value, _mm512_cmp_ps_mask(value, _mm512_setzero_ps(), _CMP_LT_OQ), _mm512_setzero_ps());
                Storage<T>::store(image + ((top + r) * s.w + left + q) * o + k, value);
              }
          }
        }
      }
    }
  }
}

namespace {

// Tiles `from` to `end` of which the i-th pair is transformed: to inputs [36][block/pair][c][pair] and to gradients
// [36][panels of o][block/pair][64][pair]. A tile too few is one of zeros.
template <typename T>
inline void transform_pair(const WinogradShape& s, const T* x, const T* dy, int64_t from, int64_t end, int64_t i,
                           int64_t block, T* inputs, T* gradients) {
  constexpr int64_t pair = Storage<T>::pair;
  const int64_t input_stride = winograd_stride<T>(block, s.c), gradient_stride = winograd_stride<T>(block, s.o);
  const auto* nothing = reinterpret_cast<const T*>(zeros);
  const int64_t first = from + i * pair, second = first + pair - 1 < end ? first + pair - 1 : -1;
  const Patch<T, 6> images[2] = {{s, x, s.c, first, 1, nothing}, {s, x, s.c, second, 1, nothing}};
  const Patch<T, 4> slopes[2] = {{s, dy, s.o, first, 0, nothing}, {s, dy, s.o, second, 0, nothing}};
  for (int64_t k = 0; k < s.c; k += 16) {
    vec d[6][6], v[2][6][6];
    for (int64_t half = 0; half < pair; half++) {
      images[half].load(k, d);
      twice<6, 6, input_transform>(d, v[half]);
    }
    for (int p = 0; p < points; p++)
      Storage<T>::store_pair(inputs + p * input_stride + (i * s.c + k) * pair, v[0][p / 6][p % 6], v[pair - 1][p / 6][p % 6]);
  }
  for (int64_t k = 0; k < s.o; k += 16) {
    vec d[4][4], v[2][6][6];
    for (int64_t half = 0; half < pair; half++) {
      slopes[half].load(k, d);
      twice<4, 6, gradient_transform>(d, v[half]);
    }
    const int64_t begin = k / panel * panel, width = width_of(s.o, begin);
    T* to = gradients + begin * block + (i * width + k - begin) * pair;
    for (int p = 0; p < points; p++)
      Storage<T>::store_pair(to + p * gradient_stride, v[0][p / 6][p % 6], v[pair - 1][p / 6][p % 6]);
  }
}

// a piece of the filter: `channels` rows and a panel of columns; its sums lie [36][channels][64]
struct Piece {
  int64_t first, rows, begin, width, stride;
  Piece(const WinogradShape& s, int64_t channels, int64_t job) {
    const int64_t panels = (s.o + panel - 1) / panel;
    first = job / panels * channels, begin = job % panels * panel;
    rows = s.c - first < channels ? s.c - first : channels, width = width_of(s.o, begin);
    stride = winograd_stride<float>(channels, panel);
  }
};

template <typename T>
inline void multiply_piece(const WinogradShape& s, const Piece& piece, int64_t block, int64_t pairs, const T* inputs,
                           const T* gradients, bool onto, float* sums) {
  constexpr int64_t pair = Storage<T>::pair;
  for (int p = 0; p < points; p++)
    multiply<T, 4>(piece.rows, static_cast<int>(piece.width / 16),
                   inputs + p * winograd_stride<T>(block, s.c) + piece.first * pair, pair, s.c * pair,
                   gradients + p * winograd_stride<T>(block, s.o) + piece.begin * block, pairs, onto,
                   sums + p * piece.stride, panel);
}

// one row of a piece, added up over `copies` of the sums, to the filter's nine taps
inline void finish_row(const WinogradShape& s, const Piece& piece, int64_t row, const float* sums, int64_t copies,
                       int64_t copy_size, float* dfilter) {
  for (int64_t k = 0; k < piece.width; k += 16) {
    vec m[6][6], g[3][3];
    for (int p = 0; p < points; p++) {
      const float* at = sums + p * piece.stride + row * panel + k;
      m[p / 6][p % 6] = _mm512_loadu_ps(at);
      for (int64_t t = 1; t < copies; t++) m[p / 6][p % 6] = add(m[p / 6][p % 6], _mm512_loadu_ps(at + t * copy_size));
    }
    twice<6, 3, tap_transform>(m, g);
    for (int q = 0; q < 9; q++)
      _mm512_storeu_ps(dfilter + (q * s.c + piece.first + row) * s.o + piece.begin + k, g[q / 3][q % 3]);
  }
}

}  // namespace

// All threads transform a block of tiles, then each multiplies pieces of the filter.
template <typename T>
void WinogradKernels<T>::filter_grad(const WinogradShape& s, const T* x, const T* dy, float* dfilter, T* inputs,
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
template <typename T>
void WinogradKernels<T>::filter_grad_apart(const WinogradShape& s, const T* x, const T* dy, float* dfilter, T* inputs,
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
