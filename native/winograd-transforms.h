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
// A^T m, six products to the outputs of a tile
template <int Outputs>
inline void output_transform(const vec m[6], vec y[Outputs]) {
  const vec plus_a = add(m[1], m[2]), minus_a = sub(m[1], m[2]);
  const vec plus_b = add(m[3], m[4]), minus_b = sub(m[3], m[4]);
  y[0] = add(m[0], add(plus_a, plus_b));
  y[1] = fma(splat(a1), minus_a, mul(splat(b1), minus_b));
  if constexpr (Outputs == 3) {
    y[2] = fma(splat(a2), plus_a, fma(splat(b2), plus_b, m[5]));
  } else {
    y[2] = fma(splat(a2), plus_a, mul(splat(b2), plus_b));
    y[3] = fma(splat(a3), minus_a, fma(splat(b3), minus_b, m[5]));
  }
}
// A d, the gradients of a tile's outputs to six
template <int Outputs>
inline void gradient_transform(const vec d[Outputs], vec v[6]) {
  v[0] = d[0];
  v[5] = d[Outputs - 1];
  const vec even_a = fma(splat(a2), d[2], d[0]), even_b = fma(splat(b2), d[2], d[0]);
  vec odd_a = mul(splat(a1), d[1]), odd_b = mul(splat(b1), d[1]);
  if constexpr (Outputs == 4) odd_a = fma(splat(a3), d[3], odd_a), odd_b = fma(splat(b3), d[3], odd_b);
  v[1] = add(even_a, odd_a);
  v[2] = sub(even_a, odd_a);
  v[3] = add(even_b, odd_b);
  v[4] = sub(even_b, odd_b);
}
// G g, the taps of a filter to six: what gradient_transform does, scaled
template <int Taps>
inline void filter_transform(const vec g[Taps], vec u[6]) {
  gradient_transform<Taps>(g, u);
  for (int i = 1; i < 5; i++) u[i] = mul(splat(i < 3 ? fa : fb), u[i]);
}
// G^T m, six sums to the gradients of the taps: what output_transform does, scaled
template <int Taps>
inline void tap_transform(const vec m[6], vec g[Taps]) {
  vec scaled[6] = {m[0], m[1], m[2], m[3], m[4], m[5]};
  for (int i = 1; i < 5; i++) scaled[i] = mul(splat(i < 3 ? fa : fb), m[i]);
  output_transform<Taps>(scaled, g);
}

// 2-d: the transform over columns, then over rows; load(i, j) gives a value, store(i, j, value) takes one. Loops
// are unrolled whole, else the values between lie in memory.
template <int From, int To, void (*Transform)(const vec*, vec*), typename Load>
inline void over_columns(vec (*half)[From], Load load) {
#pragma GCC unroll 6
  for (int j = 0; j < From; j++) {
    vec column[From], done[To];
#pragma GCC unroll 6
    for (int i = 0; i < From; i++) column[i] = load(i, j);
    Transform(column, done);
#pragma GCC unroll 6
    for (int i = 0; i < To; i++) half[i][j] = done[i];
  }
}
template <int From, int To, void (*Transform)(const vec*, vec*), typename Load, typename Store>
inline void twice(Load load, Store store) {
  vec half[To][From];
  over_columns<From, To, Transform>(half, load);
#pragma GCC unroll 6
  for (int i = 0; i < To; i++) {
    vec done[To];
    Transform(half[i], done);
#pragma GCC unroll 6
    for (int j = 0; j < To; j++) store(i, j, done[j]);
  }
}
// two at once: load(0 or 1, i, j), and store(i, j, first, second)
template <int From, int To, void (*Transform)(const vec*, vec*), typename Load, typename Store>
inline void twice_paired(Load load, Store store) {
  vec half[2][To][From];
  over_columns<From, To, Transform>(half[0], [&](int i, int j) { return load(0, i, j); });
  over_columns<From, To, Transform>(half[1], [&](int i, int j) { return load(1, i, j); });
#pragma GCC unroll 6
  for (int i = 0; i < To; i++) {
    vec first[To], second[To];
    Transform(half[0][i], first);
    Transform(half[1][i], second);
#pragma GCC unroll 6
    for (int j = 0; j < To; j++) store(i, j, first[j], second[j]);
  }
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
