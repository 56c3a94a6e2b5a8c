#include "winograd-kernels.h"

namespace onecycle {
namespace {

template <>
struct Storage<float> {
  static constexpr int64_t pair = 1;
  static void store(float* to, vec v) { _mm512_storeu_ps(to, v); }
  static void store_pair(float* to, vec v, vec) { _mm512_storeu_ps(to, v); }
  static void stream_pair(float* to, vec v, vec) { _mm512_stream_ps(to, v); }
};

template <typename T, int Size>
void Patch<T, Size>::load(int64_t channel, vec (*out)[Size]) const {
  for (int i = 0; i < Size; i++)
    for (int j = 0; j < Size; j++) out[i][j] = _mm512_loadu_ps(at[i][j] + channel);
}

template <typename T, int MR, int NV>
void multiply_tile(const T* a, int64_t a_row, int64_t a_k, const T* b, int64_t k, bool onto, float* c, int64_t c_row) {
  vec sum[MR][NV];
  for (int r = 0; r < MR; r++)
    for (int v = 0; v < NV; v++) sum[r][v] = onto ? _mm512_loadu_ps(c + r * c_row + 16 * v) : _mm512_setzero_ps();
  for (int64_t i = 0; i < k; i++) {
    vec right[NV];
    for (int v = 0; v < NV; v++) right[v] = _mm512_loadu_ps(b + i * 16 * NV + 16 * v);
    for (int r = 0; r < MR; r++) {
      const vec left = splat(a[r * a_row + i * a_k]);
      for (int v = 0; v < NV; v++) sum[r][v] = fma(left, right[v], sum[r][v]);
    }
  }
  for (int r = 0; r < MR; r++)
    for (int v = 0; v < NV; v++) _mm512_storeu_ps(c + r * c_row + 16 * v, sum[r][v]);
}

}  // namespace

template struct WinogradKernels<float>;

}  // namespace onecycle
