// bfloat16: the upper half of a float32. Kernels are templates over what a tensor is stored as; they compute in
// float32 and round to nearest even on the way out.
#pragma once
#include <cstdint>
#include <cstring>

#include "kernels.h"

namespace onecycle {

struct bf16 {
  uint16_t bits;
};

inline float to_float(float v) { return v; }
inline float to_float(bf16 v) {
  const uint32_t u = static_cast<uint32_t>(v.bits) << 16;
  float f;
  std::memcpy(&f, &u, sizeof f);
  return f;
}

template <typename T>
T rounded(float v);
template <>
inline float rounded<float>(float v) {
  return v;
}
template <>
inline bf16 rounded<bf16>(float v) {
  uint32_t u;
  std::memcpy(&u, &v, sizeof u);
  const bool nan = (u & 0x7fffffff) > 0x7f800000;
  return {static_cast<uint16_t>(nan ? (u >> 16) | 0x40 : (u + 0x7fff + ((u >> 16) & 1)) >> 16)};
}

/** Calls `body` with a value of the type that the tensor is stored as. */
template <typename Body>
void with_type(Type type, Body body) {
  if (type == Type::f32) {
    body(float{});
  } else {
    body(bf16{});
  }
}

}  // namespace onecycle
