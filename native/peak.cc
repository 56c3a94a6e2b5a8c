// Peaks by measurement. FLOP/s: the best of dense matrix products (oneDNN's, float32 or bfloat16 with float32
// sums) and, for float32, of fused multiply-adds that stay in registers. Bandwidth: y = a x over 256 MB.
#include "peak.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <dnnl.hpp>
#include <memory>

namespace onecycle {
namespace {

using namespace dnnl;
using dt = memory::data_type;
using tag = memory::format_tag;

constexpr int rounds = 7;

template <typename Body>
double best_seconds(Body body) {
  body();
  double best = 1e9;
  for (int i = 0; i < rounds; i++) {
    const auto begun = std::chrono::steady_clock::now();
    body();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  }
  return best;
}

matmul::primitive_desc describe_matmul(const engine& cpu, const memory::desc& a, const memory::desc& b, const memory::desc& c) {
#if DNNL_VERSION_MAJOR >= 3
  return {cpu, a, b, c};
#else
  return {{a, b, c}, cpu};
#endif
}

/** n x n by n x n, inputs of `type`, sums in float32; the layouts are oneDNN's choice. */
double matmul_flops(dt type, memory::dim n) {
  const engine cpu(engine::kind::cpu, 0);
  stream queue(cpu);
  const memory::desc any({n, n}, type, tag::any), sums({n, n}, dt::f32, tag::ab);
  const auto described = describe_matmul(cpu, any, any, sums);
  memory a(described.src_desc(), cpu), b(described.weights_desc(), cpu), c(described.dst_desc(), cpu);
  // zeros would do as well, but for a processor that saves power on them
  memory values({{n, n}, dt::f32, tag::ab}, cpu);
  auto* data = static_cast<float*>(values.get_data_handle());
  for (memory::dim i = 0; i < n * n; i++) data[i] = 0.5f + static_cast<float>(i % 7) / 8;
  reorder(values, a).execute(queue, values, a);
  reorder(values, b).execute(queue, values, b);
  queue.wait();
  const matmul product(described);
  const double seconds = best_seconds([&] {
    product.execute(queue, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
    queue.wait();
  });
  return 2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n) / seconds;
}

// one vector register; the products of GCC and clang contract to fused multiply-adds
#if defined(__AVX512F__)
typedef float Vector __attribute__((vector_size(64)));
#elif defined(__AVX__)
typedef float Vector __attribute__((vector_size(32)));
#else
typedef float Vector __attribute__((vector_size(16)));
#endif

double fma_flops() {
  constexpr int chains = 12, steps = 1 << 20;
  constexpr int lanes = sizeof(Vector) / sizeof(float);
  const int threads = omp_get_max_threads();
  float sink = 0;
  const double seconds = best_seconds([&] {
#pragma omp parallel reduction(+ : sink)
    {
      Vector sums[chains], x = {}, y = {};
      for (int i = 0; i < lanes; i++) x[i] = 0.999f, y[i] = 1e-3f;
      for (auto& sum : sums) sum = y;
      for (int step = 0; step < steps; step++) {
        // unrolled whole: the sums stay in registers
        for (int i = 0; i < chains; i++) sums[i] = sums[i] * x + y;
      }
      for (const auto& sum : sums) sink += sum[0];
    }
  });
  // what the sums came to is used, or the compiler would leave them out
  return sink == 0 ? 0 : 2.0 * chains * lanes * steps * threads / seconds;
}

}  // namespace

double peak_flops(Type type) {
  if (type == Type::bf16 && !multiplies_bf16()) return 0;
  double best = type == Type::f32 ? fma_flops() : 0;
  for (const memory::dim n : {1024, 2048}) best = std::max(best, matmul_flops(type == Type::f32 ? dt::f32 : dt::bf16, n));
  return best;
}

double peak_bandwidth() {
  // 256 MB: beyond any cache
  constexpr int64_t size = 32 << 20;
  const std::unique_ptr<float[]> x(new float[size]), y(new float[size]);
  float *from = x.get(), *to = y.get();
  // first touched by the threads that will read it
#pragma omp parallel for simd
  for (int64_t i = 0; i < size; i++) from[i] = 1, to[i] = 0;
  const double seconds = best_seconds([&] {
#pragma omp parallel for simd
    for (int64_t i = 0; i < size; i++) to[i] = 0.5f * from[i];
  });
  return 2.0 * size * sizeof(float) / seconds;
}

Napi::Function peak_function(Napi::Env env) {
  return Napi::Function::New(
      env,
      [](const Napi::CallbackInfo& info) -> Napi::Value {
        const std::string kind = info[0].ToString();
        try {
          if (kind == "f32") return Napi::Number::New(info.Env(), peak_flops(Type::f32));
          if (kind == "bf16") return Napi::Number::New(info.Env(), peak_flops(Type::bf16));
          if (kind == "bandwidth") return Napi::Number::New(info.Env(), peak_bandwidth());
        } catch (const std::exception& error) {
          throw Napi::Error::New(info.Env(), "peak " + kind + ": " + error.what());
        }
        throw Napi::TypeError::New(info.Env(), "peak: kind: expected f32, bf16 or bandwidth, got " + kind);
      },
      "peak");
}

}  // namespace onecycle
