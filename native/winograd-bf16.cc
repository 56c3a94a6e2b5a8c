// Transformed values are rounded to bfloat16 and multiplied in pairs; sums are float32.
#include "bf16.h"
#include "winograd-kernels.h"

namespace onecycle {
namespace {

inline __m256i rounded_bits(vec v) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)); }

template <>
struct Storage<bf16> {
  static constexpr int64_t pair = 2;
  static void store(bf16* to, vec v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded_bits(v)); }
  static __m512i side_by_side(vec first, vec second) {
    const __m512i low = _mm512_cvtepu16_epi32(rounded_bits(first));
    return _mm512_or_si512(low, _mm512_slli_epi32(_mm512_cvtepu16_epi32(rounded_bits(second)), 16));
  }
  static void store_pair(bf16* to, vec first, vec second) { _mm512_storeu_si512(to, side_by_side(first, second)); }
  static void stream_pair(bf16* to, vec first, vec second) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), side_by_side(first, second));
  }
};

template <typename T, int Size>
void Patch<T, Size>::load(int64_t channel, vec (*out)[Size]) const {
  for (int i = 0; i < Size; i++)
    for (int j = 0; j < Size; j++) {
      const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at[i][j] + channel));
      out[i][j] = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
    }
}

template <typename T, int MR, int NV>
void multiply_tile(const T* a, int64_t a_row, int64_t a_k, const T* b, int64_t k, bool onto, float* c, int64_t c_row) {
  vec sum[MR][NV];
  for (int r = 0; r < MR; r++)
    for (int v = 0; v < NV; v++) sum[r][v] = onto ? _mm512_loadu_ps(c + r * c_row + 16 * v) : _mm512_setzero_ps();
  for (int64_t i = 0; i < k; i++) {
    __m512bh right[NV];
    for (int v = 0; v < NV; v++) right[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + i * 32 * NV + 32 * v));
    for (int r = 0; r < MR; r++) {
      int two;
      __builtin_memcpy(&two, a + r * a_row + i * a_k, sizeof two);
      const __m512bh left = reinterpret_cast<__m512bh>(_mm512_set1_epi32(two));
      for (int v = 0; v < NV; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], left, right[v]);
    }
  }
  for (int r = 0; r < MR; r++)
    for (int v = 0; v < NV; v++) _mm512_storeu_ps(c + r * c_row + 16 * v, sum[r][v]);
}

}  // namespace

template struct WinogradKernels<bf16>;

}  // namespace onecycle
