#include "winograd-kernels.h"

namespace onecycle {
namespace {

template <>
struct Storage<float> {
  static constexpr int64_t pair = 1;
  static vec load(const float* at) { return _mm512_loadu_ps(at); }
  static void store(float* to, vec v) { _mm512_storeu_ps(to, v); }
  static void stream(float* to, vec v) { _mm512_stream_ps(to, v); }
};

template <typename T, int MR, int NV>
void multiply_tile(const T* a, int64_t a_row, int64_t a_k, const T* b, int64_t k, bool onto, float* c, int64_t c_row) {
  vec sum[MR][NV];
#pragma GCC unroll 6
  for (int r = 0; r < MR; r++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) sum[r][v] = onto ? _mm512_loadu_ps(c + r * c_row + 16 * v) : _mm512_setzero_ps();
  for (int64_t i = 0; i < k; i++) {
    vec right[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) right[v] = _mm512_loadu_ps(b + i * 16 * NV + 16 * v);
#pragma GCC unroll 6
    for (int r = 0; r < MR; r++) {
      const vec left = splat(a[r * a_row + i * a_k]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) sum[r][v] = fma(left, right[v], sum[r][v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < MR; r++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) _mm512_storeu_ps(c + r * c_row + 16 * v, sum[r][v]);
}

}  // namespace

template struct WinogradKernels<float, 3>;

}  // namespace onecycle
