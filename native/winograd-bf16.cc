// Transformed values are rounded to bfloat16 and multiplied in pairs; sums are float32.
#include "bf16.h"
#include "winograd-kernels.h"

namespace onecycle {
namespace {

template <>
struct Storage<bf16> {
  static constexpr int64_t pair = 2;
  static vec load(const bf16* at) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
  static void store(bf16* to, vec v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
  }
  static void store(bf16* to, vec first, vec second) { _mm512_storeu_si512(to, side_by_side(first, second)); }
  static void stream(bf16* to, vec first, vec second) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), side_by_side(first, second));
  }
  // lane by lane, the first below the second
  static __m512i side_by_side(vec first, vec second) {
    alignas(64) static constexpr uint16_t order[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                       8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_load_si512(order), reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first)));
  }
};

template <typename T, int MR, int NV>
void multiply_tile(const T* a, int64_t a_row, int64_t a_k, const T* b, int64_t k, bool onto, float* c, int64_t c_row) {
  vec sum[MR][NV];
#pragma GCC unroll 6
  for (int r = 0; r < MR; r++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) sum[r][v] = onto ? _mm512_loadu_ps(c + r * c_row + 16 * v) : _mm512_setzero_ps();
  for (int64_t i = 0; i < k; i++) {
    __m512bh right[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) right[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + i * 32 * NV + 32 * v));
#pragma GCC unroll 6
    for (int r = 0; r < MR; r++) {
      int two;
      __builtin_memcpy(&two, a + r * a_row + i * a_k, sizeof two);
      const __m512bh left = reinterpret_cast<__m512bh>(_mm512_set1_epi32(two));
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], left, right[v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < MR; r++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) _mm512_storeu_ps(c + r * c_row + 16 * v, sum[r][v]);
}

}  // namespace

template struct WinogradKernels<bf16, 3>;
template struct WinogradKernels<bf16, 4>;

}  // namespace onecycle
