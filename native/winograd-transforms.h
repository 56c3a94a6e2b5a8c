// The transforms of F(4x4, 3x3) on sixteen channels at once, in AVX-512 registers: B, A and G of the algorithm and
// their transposes, with the points 0, +-a, +-b and infinity. Internal, as winograd-kernels.h says.
#pragma once
#include <immintrin.h>

namespace onecycle {
namespace {

using vec = __m512;

// a = 2/3, b = 3/2, so that ab = 1
constexpr float a1 = 2.f / 3, a2 = 4.f / 9, a3 = 8.f / 27;
constexpr float b1 = 1.5f, b2 = 2.25f, b3 = 3.375f;
constexpr float s2 = a2 + b2;
constexpr float fa = 1.f / (2 * a2 * (a2 - b2)), fb = 1.f / (2 * b2 * (b2 - a2));

inline vec splat(float v) { return _mm512_set1_ps(v); }
inline vec fma(vec x, vec y, vec z) { return _mm512_fmadd_ps(x, y, z); }
inline vec fnma(vec x, vec y, vec z) { return _mm512_fnmadd_ps(x, y, z); }
inline vec add(vec x, vec y) { return _mm512_add_ps(x, y); }
inline vec sub(vec x, vec y) { return _mm512_sub_ps(x, y); }
inline vec mul(vec x, vec y) { return _mm512_mul_ps(x, y); }

// B^T d, six values to six
inline void input_transform(const vec d[6], vec v[6]) {
  v[0] = fnma(splat(s2), d[2], add(d[0], d[4]));
  v[5] = fnma(splat(s2), d[3], add(d[1], d[5]));
  const vec even_a = fnma(splat(b2), d[2], d[4]), odd_a = fnma(splat(b1), d[1], mul(splat(a1), d[3]));
  const vec even_b = fnma(splat(a2), d[2], d[4]), odd_b = fnma(splat(a1), d[1], mul(splat(b1), d[3]));
  v[1] = add(even_a, odd_a);
  v[2] = sub(even_a, odd_a);
  v[3] = add(even_b, odd_b);
  v[4] = sub(even_b, odd_b);
}
// A^T m, six products to four outputs
inline void output_transform(const vec m[6], vec y[4]) {
  const vec plus_a = add(m[1], m[2]), minus_a = sub(m[1], m[2]);
  const vec plus_b = add(m[3], m[4]), minus_b = sub(m[3], m[4]);
  y[0] = add(m[0], add(plus_a, plus_b));
  y[1] = fma(splat(a1), minus_a, mul(splat(b1), minus_b));
  y[2] = fma(splat(a2), plus_a, mul(splat(b2), plus_b));
  y[3] = fma(splat(a3), minus_a, fma(splat(b3), minus_b, m[5]));
}
// A d, four gradients of outputs to six
inline void gradient_transform(const vec d[4], vec v[6]) {
  v[0] = d[0];
  v[5] = d[3];
  const vec even_a = fma(splat(a2), d[2], d[0]), odd_a = fma(splat(a3), d[3], mul(splat(a1), d[1]));
  const vec even_b = fma(splat(b2), d[2], d[0]), odd_b = fma(splat(b3), d[3], mul(splat(b1), d[1]));
  v[1] = add(even_a, odd_a);
  v[2] = sub(even_a, odd_a);
  v[3] = add(even_b, odd_b);
  v[4] = sub(even_b, odd_b);
}
// G g, three taps to six
inline void filter_transform(const vec g[3], vec u[6]) {
  u[0] = g[0];
  u[5] = g[2];
  const vec even_a = mul(splat(fa), fma(splat(a2), g[2], g[0])), odd_a = mul(splat(fa * a1), g[1]);
  const vec even_b = mul(splat(fb), fma(splat(b2), g[2], g[0])), odd_b = mul(splat(fb * b1), g[1]);
  u[1] = add(even_a, odd_a);
  u[2] = sub(even_a, odd_a);
  u[3] = add(even_b, odd_b);
  u[4] = sub(even_b, odd_b);
}
// G^T m, six sums to the gradients of three taps
inline void tap_transform(const vec m[6], vec g[3]) {
  const vec plus_a = mul(splat(fa), add(m[1], m[2])), minus_a = mul(splat(fa), sub(m[1], m[2]));
  const vec plus_b = mul(splat(fb), add(m[3], m[4])), minus_b = mul(splat(fb), sub(m[3], m[4]));
  g[0] = add(m[0], add(plus_a, plus_b));
  g[1] = fma(splat(a1), minus_a, mul(splat(b1), minus_b));
  g[2] = fma(splat(a2), plus_a, fma(splat(b2), plus_b, m[5]));
}

// 2-d: the transform over columns, then over rows
template <int From, int To, void (*Transform)(const vec*, vec*)>
inline void twice(const vec (*in)[From], vec (*out)[To]) {
  vec half[To][From];
  for (int j = 0; j < From; j++) {
    vec column[From], done[To];
    for (int i = 0; i < From; i++) column[i] = in[i][j];
    Transform(column, done);
    for (int i = 0; i < To; i++) half[i][j] = done[i];
  }
  for (int i = 0; i < To; i++) Transform(half[i], out[i]);
}

// 16x16: rows become columns
inline void transpose(vec rows[16]) {
  vec t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int half = 0; half < 2; half++) {
      rows[i + 2 * half] = _mm512_shuffle_ps(t[i + half], t[i + 2 + half], 0x44);
      rows[i + 2 * half + 1] = _mm512_shuffle_ps(t[i + half], t[i + 2 + half], 0xee);
    }
  for (int i = 0; i < 16; i += 8)
    for (int k = 0; k < 4; k++) {
      t[i + k] = _mm512_shuffle_f32x4(rows[i + k], rows[i + 4 + k], 0x88);
      t[i + 4 + k] = _mm512_shuffle_f32x4(rows[i + k], rows[i + 4 + k], 0xdd);
    }
  for (int k = 0; k < 8; k++) {
    rows[k] = _mm512_shuffle_f32x4(t[k], t[8 + k], 0x88);
    rows[8 + k] = _mm512_shuffle_f32x4(t[k], t[8 + k], 0xdd);
  }
}

}  // namespace
}  // namespace onecycle
