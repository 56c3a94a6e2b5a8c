// What every binding shares: reading a call's arguments, checked for type and length here, so that a wrong
// shape is an Error that names the kernel and the shapes and never a write out of bounds; and, when profiling
// is on, the time of each kernel.
#pragma once
#include <napi.h>

#include <chrono>
#include <cmath>
#include <initializer_list>
#include <map>
#include <stdexcept>
#include <string>

#include "kernels.h"
#include "signals-blocked.h"

namespace onecycle {

/** A shape as messages say it. */
inline std::string list(std::initializer_list<int64_t> sizes) {
  std::string text;
  for (const int64_t size : sizes) text += (text.empty() ? "[" : ",") + std::to_string(size);
  return text + "]";
}

class Args {
 public:
  Args(const Napi::CallbackInfo& info, const char* kernel) : info_(info), kernel_(kernel) {}

  /** float32 or, as a Uint16Array, bfloat16. */
  Buffer tensor(int64_t size, const char* name) {
    const auto typed = typed_array(name, "a Float32Array, or a Uint16Array of bfloat16");
    const auto type = typed.TypedArrayType();
    if (type != napi_float32_array && type != napi_uint16_array) fail(name, "a Float32Array, or a Uint16Array of bfloat16");
    return {checked(typed, size, name), type == napi_float32_array ? Type::f32 : Type::bf16};
  }
  /** A tensor that must be stored as `like` is. */
  Buffer tensor(int64_t size, const char* name, const Buffer& like) {
    const auto buffer = tensor(size, name);
    if (buffer.type != like.type) fail(name, "the storage type of the first tensor");
    return buffer;
  }
  Buffer tensor_or_null(int64_t size, const char* name, const Buffer& like) {
    return skip_null() ? Buffer{nullptr, like.type} : tensor(size, name, like);
  }
  float* array(int64_t size, const char* name) {
    const auto typed = typed_array(name, "a Float32Array");
    if (typed.TypedArrayType() != napi_float32_array) fail(name, "a Float32Array");
    return static_cast<float*>(checked(typed, size, name));
  }
  float* array_or_null(int64_t size, const char* name) { return skip_null() ? nullptr : array(size, name); }
  uint8_t* bytes(int64_t size, const char* name) {
    const auto typed = typed_array(name, "a Uint8Array");
    if (typed.TypedArrayType() != napi_uint8_array) fail(name, "a Uint8Array");
    return static_cast<uint8_t*>(checked(typed, size, name));
  }
  int64_t whole(const char* name) {
    const double value = number(name);
    if (!(value >= 0) || value != std::floor(value) || value > 9007199254740991.0) fail(name, "a whole number");
    return static_cast<int64_t>(value);
  }
  double number(const char* name) {
    const auto value = next();
    if (!value.IsNumber()) fail(name, "a number");
    return value.As<Napi::Number>().DoubleValue();
  }
  bool flag() { return next().ToBoolean(); }
  Napi::Value next() { return info_[index_++]; }
  Napi::Env env() const { return info_.Env(); }
  /** What a message says the call was about. */
  void about(const std::string& shapes) { shapes_ = " " + shapes; }
  [[noreturn]] void fail(const char* name, const std::string& expected) {
    throw std::invalid_argument(std::string(kernel_) + shapes_ + ": " + name + ": expected " + expected);
  }

 private:
  bool skip_null() {
    const auto value = info_[index_];
    if (!value.IsNull() && !value.IsUndefined()) return false;
    index_++;
    return true;
  }
  Napi::TypedArray typed_array(const char* name, const char* expected) {
    const auto value = next();
    if (!value.IsTypedArray()) fail(name, expected);
    return value.As<Napi::TypedArray>();
  }
  void* checked(const Napi::TypedArray& typed, int64_t size, const char* name) {
    if (static_cast<int64_t>(typed.ElementLength()) != size) {
      fail(name, std::to_string(size) + " values, got " + std::to_string(typed.ElementLength()));
    }
    return static_cast<uint8_t*>(typed.ArrayBuffer().Data()) + typed.ByteOffset();
  }

  const Napi::CallbackInfo& info_;
  const char* kernel_;
  std::string shapes_;
  size_t index_ = 0;
};

struct KernelTime {
  int64_t calls = 0;
  double seconds = 0;
};
struct Profile {
  bool on = false;
  std::map<std::string, KernelTime> kernels;
};
inline Profile& profile() {
  static Profile p;
  return p;
}

/** A kernel as a JavaScript function; every exception becomes an Error that names the kernel. */
template <typename Body>
Napi::Function kernel(Napi::Env env, const char* name, Body body) {
  return Napi::Function::New(
      env,
      [name, body](const Napi::CallbackInfo& info) -> Napi::Value {
        const bool timed = profile().on;
        const auto begun = std::chrono::steady_clock::now();
        try {
          Args args(info, name);
          const SignalsBlocked guard;
          body(args);
        } catch (const Napi::Error&) {
          throw;
        } catch (const std::invalid_argument& error) {
          throw Napi::TypeError::New(info.Env(), error.what());
        } catch (const std::exception& error) {
          throw Napi::Error::New(info.Env(), std::string(name) + ": " + error.what());
        }
        if (timed) {
          auto& time = profile().kernels[name];
          time.calls += 1;
          time.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
        }
        return info.Env().Undefined();
      },
      name);
}

}  // namespace onecycle
