// Convolution 3x3, stride 1, padding 1 by Winograd's F(4x4, 3x3): 36 multiplications where the definition has
// 144 (Lavin and Gray 2015, arXiv:1509.09308). Points 0, +-2/3, +-3/2 and infinity, which lose about half as
// much to rounding as the usual +-1, +-2 (compare Barabasz et al. 2018, arXiv:1803.10986).
#pragma once
#include "filter-cache.h"
#include "kernels.h"

namespace onecycle {

/** Whether this CPU multiplies faster this way, by shape, storage and what is asked for. */
bool winograd_applies(const ConvShape&, Type, bool for_filter);

void winograd_forward(const ConvShape&, Buffer x, const Filter&, const float* bias, bool relu, Buffer y);
void winograd_input_grad(const ConvShape&, Buffer dy, const Filter&, Buffer dx);
void winograd_filter_grad(const ConvShape&, Buffer x, Buffer dy, float* dfilter);

/**
 * A convolution as the kernels see it: images [n,h,w,c] to [n,h,w,o], covered by `tiles` of outputs; the first
 * `used` channels count, others are zero.
 */
template <int Taps>
struct WinogradShape {
  int64_t n, h, w, c, o, used;
  /** A tile's outputs along one side, and how far the filter reaches before an output. */
  static constexpr int outputs = 7 - Taps, before = Taps / 2;
  int64_t rows() const { return (h + outputs - 1) / outputs; }
  int64_t columns() const { return (w + outputs - 1) / outputs; }
  int64_t tiles() const { return n * rows() * columns(); }
};

/** Elements from one of the 36 matrices to the next: a cache line lies between them. */
template <typename T>
constexpr int64_t winograd_stride(int64_t rows, int64_t columns) {
  return rows * columns + 64 / static_cast<int64_t>(sizeof(T));
}

/** How the filter's gradient is cut into pieces that stay in the cache. */
struct WinogradBlocks {
  int64_t tiles, channels, jobs;
  int threads;
};

/** The kernels for tensors stored as T, on CPUs with AVX-512 (winograd-f32.cc, winograd-bf16.cc). */
template <typename T, int Taps>
struct WinogradKernels {
  using Shape = WinogradShape<Taps>;
  /** filter HWIO [Taps,Taps,c,o] -> 36 panels; `turned` rotates it by 180 degrees and swaps c and o. */
  static void pack(const float* filter, int64_t c, int64_t o, bool turned, T* packed, int threads);
  /** `scratch` holds scratch_bytes() for each thread. */
  static void forward(const Shape&, const T* x, const T* packed, const float* bias, bool relu, T* y, uint8_t* scratch,
                      int64_t block, int threads);
  static void filter_grad(const Shape&, const T* x, const T* dy, float* dfilter, T* inputs, T* gradients,
                          float* products, const WinogradBlocks&);
  /** The same with inputs, gradients and products of each thread's own. */
  static void filter_grad_apart(const Shape&, const T* x, const T* dy, float* dfilter, T* inputs, T* gradients,
                                float* products, const WinogradBlocks&);
};

}  // namespace onecycle
