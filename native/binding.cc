// JavaScript to kernels: what each call's arguments are.
#include <omp.h>

#include <cstdlib>

#include "kernel-args.h"
#include "render-binding.h"

namespace {

using namespace onecycle;

ConvShape conv_shape(Args& a) {
  ConvShape s{};
  s.n = a.whole("n"), s.h = a.whole("h"), s.w = a.whole("w"), s.c = a.whole("c");
  s.kh = a.whole("kh"), s.kw = a.whole("kw"), s.o = a.whole("o");
  s.stride = a.whole("stride"), s.pad = a.whole("pad");
  if (s.stride < 1 || s.h + 2 * s.pad < s.kh || s.w + 2 * s.pad < s.kw) a.fail("shape", "a filter that fits the image");
  return s;
}
int64_t x_size(const ConvShape& s) { return s.n * s.h * s.w * s.c; }
int64_t f_size(const ConvShape& s) { return s.kh * s.kw * s.c * s.o; }
int64_t y_size(const ConvShape& s) { return s.n * s.oh() * s.ow() * s.o; }

void conv(Args& a) {
  const auto s = conv_shape(a);
  const bool relu = a.flag();
  const float *x = a.array(x_size(s), "x"), *f = a.array(f_size(s), "filter");
  const float* bias = a.array_or_null(s.o, "bias");
  conv_forward(s, x, f, bias, relu, a.array(y_size(s), "y"));
}
void conv_dx(Args& a) {
  const auto s = conv_shape(a);
  const float *dy = a.array(y_size(s), "dy"), *f = a.array(f_size(s), "filter");
  conv_input_grad(s, dy, f, a.array(x_size(s), "dx"));
}
void conv_df(Args& a) {
  const auto s = conv_shape(a);
  const float *x = a.array(x_size(s), "x"), *dy = a.array(y_size(s), "dy");
  conv_filter_grad(s, x, dy, a.array(f_size(s), "dfilter"));
}

void bn(Args& a) {
  BatchNorm b{};
  b.rows = a.whole("rows"), b.channels = a.whole("channels");
  b.training = a.flag(), b.update_running = a.flag(), b.relu = a.flag();
  b.momentum = static_cast<float>(a.number("momentum")), b.eps = static_cast<float>(a.number("eps"));
  const int64_t size = b.rows * b.channels, c = b.channels;
  const float *x = a.array(size, "x"), *gamma = a.array(c, "gamma"), *beta = a.array(c, "beta");
  float *mean = a.array(c, "runningMean"), *var = a.array(c, "runningVar");
  const float* residual = a.array_or_null(size, "residual");
  float *y = a.array(size, "y"), *used = a.array(c, "mean"), *inverse = a.array(c, "inverseStd");
  batch_norm_forward(b, x, gamma, beta, mean, var, residual, y, used, inverse);
}
void bn_grad(Args& a) {
  BatchNorm b{};
  b.rows = a.whole("rows"), b.channels = a.whole("channels");
  b.training = a.flag(), b.relu = a.flag();
  const int64_t size = b.rows * b.channels, c = b.channels;
  const float *dy = a.array(size, "dy"), *x = a.array(size, "x"), *y = a.array(size, "y");
  const float *gamma = a.array(c, "gamma"), *mean = a.array(c, "mean"), *inverse = a.array(c, "inverseStd");
  float *dx = a.array(size, "dx"), *dgamma = a.array(c, "dgamma"), *dbeta = a.array(c, "dbeta");
  batch_norm_backward(b, dy, x, y, gamma, mean, inverse, dx, dgamma, dbeta, a.array_or_null(size, "dresidual"));
}

PoolShape pool_shape(Args& a) {
  PoolShape s{};
  s.n = a.whole("n"), s.h = a.whole("h"), s.w = a.whole("w"), s.c = a.whole("c");
  s.size = a.whole("size"), s.stride = a.whole("stride"), s.pad = a.whole("pad");
  s.oh = a.whole("oh"), s.ow = a.whole("ow");
  if (s.stride < 1) a.fail("stride", "at least 1");
  return s;
}
void max_pool(Args& a) {
  const auto s = pool_shape(a);
  const float* x = a.array(s.n * s.h * s.w * s.c, "x");
  const int64_t size = s.n * s.oh * s.ow * s.c;
  float* y = a.array(size, "y");
  max_pool_forward(s, x, y, a.array(size, "places"));
}
void max_pool_grad(Args& a) {
  const auto s = pool_shape(a);
  const int64_t size = s.n * s.oh * s.ow * s.c;
  const float *dy = a.array(size, "dy"), *places = a.array(size, "places");
  max_pool_backward(s, dy, places, a.array(s.n * s.h * s.w * s.c, "dx"));
}
void global_pool(Args& a) {
  const int64_t n = a.whole("n"), pixels = a.whole("pixels"), c = a.whole("c");
  const bool max = a.flag();
  const float* x = a.array(n * pixels * c, "x");
  float* y = a.array(n * c * (max ? 2 : 1), "y");
  global_pool_forward(n, pixels, c, max, x, y, a.array(max ? n * c : 0, "places"));
}
void global_pool_grad(Args& a) {
  const int64_t n = a.whole("n"), pixels = a.whole("pixels"), c = a.whole("c");
  const bool max = a.flag();
  const float *dy = a.array(n * c * (max ? 2 : 1), "dy"), *places = a.array(max ? n * c : 0, "places");
  global_pool_backward(n, pixels, c, max, dy, places, a.array(n * pixels * c, "dx"));
}

void linear(Args& a) {
  const int64_t n = a.whole("n"), in = a.whole("in"), out = a.whole("out");
  const float *x = a.array(n * in, "x"), *w = a.array(out * in, "weight"), *bias = a.array_or_null(out, "bias");
  linear_forward(n, in, out, x, w, bias, a.array(n * out, "y"));
}
void linear_dx(Args& a) {
  const int64_t n = a.whole("n"), in = a.whole("in"), out = a.whole("out");
  const float *dy = a.array(n * out, "dy"), *w = a.array(out * in, "weight");
  linear_input_grad(n, in, out, dy, w, a.array(n * in, "dx"));
}
void linear_dw(Args& a) {
  const int64_t n = a.whole("n"), in = a.whole("in"), out = a.whole("out");
  const float *dy = a.array(n * out, "dy"), *x = a.array(n * in, "x");
  linear_weight_grad(n, in, out, dy, x, a.array(out * in, "dw"));
}

void cross_entropy_kernel(Args& a) {
  const int64_t n = a.whole("n"), classes = a.whole("classes");
  const float *logits = a.array(n * classes, "logits"), *targets = a.array(n * classes, "targets");
  float* loss = a.array(1, "loss");
  cross_entropy(n, classes, logits, targets, loss, a.array(n * classes, "logProbabilities"));
}
void cross_entropy_dx(Args& a) {
  const int64_t n = a.whole("n"), classes = a.whole("classes");
  const float dy = static_cast<float>(a.number("dy"));
  const float *targets = a.array(n * classes, "targets"), *log_p = a.array(n * classes, "logProbabilities");
  cross_entropy_grad(n, classes, dy, targets, log_p, a.array(n * classes, "dx"));
}

void adamw_kernel(Args& a) {
  AdamStep s{};
  s.lr = a.number("lr"), s.beta1 = a.number("beta1"), s.beta2 = a.number("beta2"), s.eps = a.number("eps");
  s.wd = a.number("wd"), s.true_wd = a.flag();
  s.correction1 = a.number("correction1"), s.correction2 = a.number("correction2");
  const auto list = a.next().As<Napi::Array>();
  std::vector<AdamTensor> tensors;
  // the list is flat: p, g, m, v of each tensor
  for (uint32_t i = 0; i + 3 < list.Length(); i += 4) {
    Napi::Float32Array arrays[4];
    for (uint32_t k = 0; k < 4; k++) {
      const Napi::Value value = list[i + k];
      if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) a.fail("tensors", "Float32Arrays");
      arrays[k] = value.As<Napi::Float32Array>();
      if (arrays[k].ElementLength() != arrays[0].ElementLength()) a.fail("tensors", "p, g, m, v of one length");
    }
    tensors.push_back({arrays[0].Data(), arrays[2].Data(), arrays[3].Data(), arrays[1].Data(),
                       static_cast<int64_t>(arrays[0].ElementLength())});
  }
  adamw(s, tensors);
}

Napi::Value allocate(const Napi::CallbackInfo& info) {
  const auto bytes = static_cast<size_t>(info[0].ToNumber().Int64Value());
  void* data = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (!data) throw Napi::Error::New(info.Env(), "allocate: out of memory, " + std::to_string(bytes) + " bytes");
  return Napi::ArrayBuffer::New(info.Env(), data, bytes, [](Napi::Env, void* p) { std::free(p); });
}

// {kernel: {calls, seconds}} since profiling was turned on
Napi::Value profile_of(const Napi::CallbackInfo& info) {
  auto result = Napi::Object::New(info.Env());
  for (const auto& [name, time] : profile().kernels) {
    auto row = Napi::Object::New(info.Env());
    row.Set("calls", Napi::Number::New(info.Env(), static_cast<double>(time.calls)));
    row.Set("seconds", Napi::Number::New(info.Env(), time.seconds));
    result.Set(name, row);
  }
  return result;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  const auto add_kernel = [&](const char* name, void (*body)(Args&)) { exports.Set(name, kernel(env, name, body)); };
  add_kernel("conv", conv), add_kernel("convInputGrad", conv_dx), add_kernel("convFilterGrad", conv_df);
  add_kernel("batchNorm", bn), add_kernel("batchNormGrad", bn_grad);
  add_kernel("maxPool", max_pool), add_kernel("maxPoolGrad", max_pool_grad);
  add_kernel("globalPool", global_pool), add_kernel("globalPoolGrad", global_pool_grad);
  add_kernel("linear", linear), add_kernel("linearInputGrad", linear_dx), add_kernel("linearWeightGrad", linear_dw);
  add_kernel("crossEntropy", cross_entropy_kernel), add_kernel("crossEntropyGrad", cross_entropy_dx);
  add_kernel("adamw", adamw_kernel);
  add_kernel("add", [](Args& a) {
    const int64_t size = a.whole("size");
    const float *x = a.array(size, "a"), *y = a.array(size, "b");
    add(size, x, y, a.array(size, "y"));
  });
  add_kernel("relu", [](Args& a) {
    const int64_t size = a.whole("size");
    const float* x = a.array(size, "x");
    relu(size, x, a.array(size, "y"));
  });
  add_kernel("reluGrad", [](Args& a) {
    const int64_t size = a.whole("size");
    const float *dy = a.array(size, "dy"), *y = a.array(size, "y");
    relu_grad(size, dy, y, a.array(size, "dx"));
  });
  add_kernel("dropout", [](Args& a) {
    const int64_t size = a.whole("size");
    const double p = a.number("p");
    const auto seed = static_cast<uint32_t>(a.whole("seed"));
    const float* x = a.array(size, "x");
    dropout(size, x, p, seed, a.array(size, "y"));
  });
  add_kernel("concat", [](Args& a) {
    const int64_t rows = a.whole("rows"), ac = a.whole("ac"), bc = a.whole("bc");
    const float *x = a.array(rows * ac, "a"), *y = a.array(rows * bc, "b");
    concat(rows, ac, bc, x, y, a.array(rows * (ac + bc), "y"));
  });
  add_kernel("channelSlice", [](Args& a) {
    const int64_t rows = a.whole("rows"), width = a.whole("width"), from = a.whole("from"), channels = a.whole("channels");
    if (from + channels > width) a.fail("channels", "a slice inside the row");
    const float* x = a.array(rows * width, "x");
    channel_slice(rows, width, from, channels, x, a.array(rows * channels, "y"));
  });
  add_kernel("biasGrad", [](Args& a) {
    const int64_t rows = a.whole("rows"), channels = a.whole("channels");
    const float* dy = a.array(rows * channels, "dy");
    bias_grad(rows, channels, dy, a.array(channels, "db"));
  });
  add_kernel("setThreads", [](Args& a) { omp_set_num_threads(static_cast<int>(a.whole("threads"))); });
  add_kernel("setBf16", [](Args& a) { set_bf16(a.flag()); });
  add_kernel("setProfiling", [](Args& a) { profile().on = a.flag(), profile().kernels.clear(); });
  register_render(env, exports);
  exports.Set("profile", Napi::Function::New(env, profile_of, "profile"));
  exports.Set("multipliesBf16", Napi::Boolean::New(env, multiplies_bf16()));
  exports.Set("allocate", Napi::Function::New(env, allocate, "allocate"));
  exports.Set("isa", Napi::String::New(env, isa_name()));
  exports.Set("dnnlVersion", Napi::String::New(env, dnnl_version_name()));
  exports.Set("threadsMax", Napi::Number::New(env, omp_get_max_threads()));
  return exports;
}

}  // namespace

NODE_API_MODULE(onecycle_native, init)
