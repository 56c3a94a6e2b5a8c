// JavaScript to kernels: what each call's arguments are.
#include <omp.h>

#include <cstdlib>

#include "kernel-args.h"
#include "peak.h"
#include "render-binding.h"

namespace {

using namespace onecycle;

std::string list(std::initializer_list<int64_t> sizes) {
  std::string text;
  for (const int64_t size : sizes) text += (text.empty() ? "[" : ",") + std::to_string(size);
  return text + "]";
}

ConvShape conv_shape(Args& a) {
  ConvShape s{};
  s.n = a.whole("n"), s.h = a.whole("h"), s.w = a.whole("w"), s.c = a.whole("c");
  s.kh = a.whole("kh"), s.kw = a.whole("kw"), s.o = a.whole("o");
  s.stride = a.whole("stride"), s.pad = a.whole("pad");
  a.about(list({s.n, s.h, s.w, s.c}) + " * " + list({s.kh, s.kw, s.c, s.o}) + ", stride " + std::to_string(s.stride) +
          ", pad " + std::to_string(s.pad));
  if (s.n < 1 || s.c < 1 || s.kh < 1 || s.kw < 1 || s.o < 1) a.fail("shape", "sizes of at least 1");
  if (s.stride < 1 || s.h + 2 * s.pad < s.kh || s.w + 2 * s.pad < s.kw) a.fail("shape", "a filter that fits the image");
  return s;
}
int64_t x_size(const ConvShape& s) { return s.n * s.h * s.w * s.c; }
int64_t f_size(const ConvShape& s) { return s.kh * s.kw * s.c * s.o; }
int64_t y_size(const ConvShape& s) { return s.n * s.oh() * s.ow() * s.o; }
Filter filter_of(Args& a, const ConvShape& s) {
  const float* values = a.array(f_size(s), "filter");
  const int64_t id = a.whole("filter id"), version = a.whole("filter version");
  return {values, id, version};
}

void conv(Args& a) {
  const auto s = conv_shape(a);
  const bool relu = a.flag();
  const auto x = a.tensor(x_size(s), "x");
  const auto filter = filter_of(a, s);
  const float* bias = a.array_or_null(s.o, "bias");
  conv_forward(s, x, filter, bias, relu, a.tensor(y_size(s), "y", x));
}
void conv_dx(Args& a) {
  const auto s = conv_shape(a);
  const auto dy = a.tensor(y_size(s), "dy");
  const auto filter = filter_of(a, s);
  conv_input_grad(s, dy, filter, a.tensor(x_size(s), "dx", dy));
}
void conv_df(Args& a) {
  const auto s = conv_shape(a);
  const auto x = a.tensor(x_size(s), "x"), dy = a.tensor(y_size(s), "dy", x);
  conv_filter_grad(s, x, dy, a.array(f_size(s), "dfilter"));
}

BatchNorm batch_norm_of(Args& a) {
  BatchNorm b{};
  b.rows = a.whole("rows"), b.channels = a.whole("channels");
  a.about(list({b.rows, b.channels}));
  if (b.rows < 1 || b.channels < 1) a.fail("shape", "at least one row and channel");
  b.training = a.flag(), b.update_running = a.flag(), b.relu = a.flag();
  b.momentum = static_cast<float>(a.number("momentum")), b.eps = static_cast<float>(a.number("eps"));
  return b;
}
void bn(Args& a) {
  const auto b = batch_norm_of(a);
  const int64_t size = b.rows * b.channels, c = b.channels;
  const auto x = a.tensor(size, "x");
  const float *gamma = a.array(c, "gamma"), *beta = a.array(c, "beta");
  float *mean = a.array(c, "runningMean"), *var = a.array(c, "runningVar");
  const auto residual = a.tensor_or_null(size, "residual", x), y = a.tensor(size, "y", x);
  float *used = a.array(c, "mean"), *inverse = a.array(c, "inverseStd");
  batch_norm_forward(b, x, gamma, beta, mean, var, residual, y, used, inverse);
}
void bn_grad(Args& a) {
  const auto b = batch_norm_of(a);
  const int64_t size = b.rows * b.channels, c = b.channels;
  const auto x = a.tensor(size, "x"), dy = a.tensor(size, "dy", x), y = a.tensor(size, "y", x);
  const float *gamma = a.array(c, "gamma"), *beta = a.array(c, "beta");
  const float *mean = a.array(c, "mean"), *inverse = a.array(c, "inverseStd");
  const auto dx = a.tensor(size, "dx", x);
  float *dgamma = a.array(c, "dgamma"), *dbeta = a.array(c, "dbeta");
  batch_norm_backward(b, dy, x, y, gamma, beta, mean, inverse, dx, dgamma, dbeta, a.tensor_or_null(size, "dresidual", x));
}

PoolShape pool_shape(Args& a) {
  PoolShape s{};
  s.n = a.whole("n"), s.h = a.whole("h"), s.w = a.whole("w"), s.c = a.whole("c");
  s.size = a.whole("size"), s.stride = a.whole("stride"), s.pad = a.whole("pad");
  s.oh = a.whole("oh"), s.ow = a.whole("ow");
  a.about(list({s.n, s.h, s.w, s.c}) + " by windows of " + std::to_string(s.size));
  if (s.stride < 1) a.fail("stride", "at least 1");
  // the place of a maximum in its window is kept in a byte
  if (s.size < 1 || s.size > 15) a.fail("size", "1 to 15");
  return s;
}
void max_pool(Args& a) {
  const auto s = pool_shape(a);
  const int64_t size = s.n * s.oh * s.ow * s.c;
  const auto x = a.tensor(s.n * s.h * s.w * s.c, "x"), y = a.tensor(size, "y", x);
  max_pool_forward(s, x, y, a.bytes(size, "places"));
}
void max_pool_grad(Args& a) {
  const auto s = pool_shape(a);
  const int64_t size = s.n * s.oh * s.ow * s.c;
  const auto dy = a.tensor(size, "dy");
  const uint8_t* places = a.bytes(size, "places");
  max_pool_backward(s, dy, places, a.tensor(s.n * s.h * s.w * s.c, "dx", dy));
}
// the arguments of batch norm, with relu, then those of the pool
struct BatchNormPool {
  BatchNorm bn;
  PoolShape pool;
  int64_t size, pooled;
  explicit BatchNormPool(Args& a) : bn(batch_norm_of(a)), pool(pool_shape(a)) {
    size = pool.n * pool.h * pool.w * pool.c, pooled = pool.n * pool.oh * pool.ow * pool.c;
    if (size != bn.rows * bn.channels || pool.c != bn.channels) a.fail("shape", "rows and channels that make the image");
    if (!bn.relu) a.fail("relu", "true");
    if (pool.size != 3 || pool.stride != 2 || pool.pad != 1 || pool.oh != (pool.h + 1) / 2 || pool.ow != (pool.w + 1) / 2)
      a.fail("window", "3x3, stride 2, pad 1");
  }
};
void bn_pool(Args& a) {
  const BatchNormPool p(a);
  const auto x = a.tensor(p.size, "x");
  const float *gamma = a.array(p.pool.c, "gamma"), *beta = a.array(p.pool.c, "beta");
  float *mean = a.array(p.pool.c, "runningMean"), *var = a.array(p.pool.c, "runningVar");
  const auto y = a.tensor(p.pooled, "y", x), peaks = a.tensor(p.pooled, "peaks", x);
  uint8_t* places = a.bytes(p.pooled, "places");
  float *used = a.array(p.pool.c, "mean"), *inverse = a.array(p.pool.c, "inverseStd");
  batch_norm_pool_forward(p.bn, p.pool, x, gamma, beta, mean, var, y, peaks, places, used, inverse);
}
void bn_pool_grad(Args& a) {
  const BatchNormPool p(a);
  const auto x = a.tensor(p.size, "x"), dy = a.tensor(p.pooled, "dy", x), peaks = a.tensor(p.pooled, "peaks", x);
  const uint8_t* places = a.bytes(p.pooled, "places");
  const float *gamma = a.array(p.pool.c, "gamma"), *beta = a.array(p.pool.c, "beta");
  const float *mean = a.array(p.pool.c, "mean"), *inverse = a.array(p.pool.c, "inverseStd");
  const auto dx = a.tensor(p.size, "dx", x);
  float *dgamma = a.array(p.pool.c, "dgamma"), *dbeta = a.array(p.pool.c, "dbeta");
  batch_norm_pool_backward(p.bn, p.pool, dy, x, peaks, places, gamma, beta, mean, inverse, dx, dgamma, dbeta);
}
void global_pool(Args& a) {
  const int64_t n = a.whole("n"), pixels = a.whole("pixels"), c = a.whole("c");
  a.about(list({n, pixels, c}));
  const bool max = a.flag();
  const auto x = a.tensor(n * pixels * c, "x");
  float* y = a.array(n * c * (max ? 2 : 1), "y");
  global_pool_forward(n, pixels, c, max, x, y, a.array(max ? n * c : 0, "places"));
}
void global_pool_grad(Args& a) {
  const int64_t n = a.whole("n"), pixels = a.whole("pixels"), c = a.whole("c");
  a.about(list({n, pixels, c}));
  const bool max = a.flag();
  const float *dy = a.array(n * c * (max ? 2 : 1), "dy"), *places = a.array(max ? n * c : 0, "places");
  global_pool_backward(n, pixels, c, max, dy, places, a.tensor(n * pixels * c, "dx"));
}

void linear(Args& a) {
  const int64_t n = a.whole("n"), in = a.whole("in"), out = a.whole("out");
  a.about(list({n, in}) + " * " + list({out, in}));
  const float *x = a.array(n * in, "x"), *w = a.array(out * in, "weight"), *bias = a.array_or_null(out, "bias");
  linear_forward(n, in, out, x, w, bias, a.array(n * out, "y"));
}
void linear_dx(Args& a) {
  const int64_t n = a.whole("n"), in = a.whole("in"), out = a.whole("out");
  a.about(list({n, in}) + " * " + list({out, in}));
  const float *dy = a.array(n * out, "dy"), *w = a.array(out * in, "weight");
  linear_input_grad(n, in, out, dy, w, a.array(n * in, "dx"));
}
void linear_dw(Args& a) {
  const int64_t n = a.whole("n"), in = a.whole("in"), out = a.whole("out");
  a.about(list({n, in}) + " * " + list({out, in}));
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

void clip_kernel(Args& a) {
  const double max = a.number("max");
  const auto value = a.next();
  if (!value.IsArray()) a.fail("gradients", "an array");
  const auto list = value.As<Napi::Array>();
  std::vector<GradTensor> tensors;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Value item = list[i];
    if (!item.IsTypedArray() || item.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) a.fail("gradients", "Float32Arrays");
    auto gradient = item.As<Napi::Float32Array>();
    tensors.push_back({gradient.Data(), static_cast<int64_t>(gradient.ElementLength())});
  }
  clip_grad_norm(max, tensors);
}

Napi::Value allocate(const Napi::CallbackInfo& info) {
  const auto bytes = static_cast<size_t>(info[0].ToNumber().Int64Value());
  void* data = allocate_pages(bytes);
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
  add_kernel("batchNormPool", bn_pool), add_kernel("batchNormPoolGrad", bn_pool_grad);
  add_kernel("maxPool", max_pool), add_kernel("maxPoolGrad", max_pool_grad);
  add_kernel("globalPool", global_pool), add_kernel("globalPoolGrad", global_pool_grad);
  add_kernel("linear", linear), add_kernel("linearInputGrad", linear_dx), add_kernel("linearWeightGrad", linear_dw);
  add_kernel("crossEntropy", cross_entropy_kernel), add_kernel("crossEntropyGrad", cross_entropy_dx);
  add_kernel("adamw", adamw_kernel), add_kernel("clipGradNorm", clip_kernel);
  add_kernel("add", [](Args& a) {
    const int64_t size = a.whole("size");
    const auto x = a.tensor(size, "a"), y = a.tensor(size, "b", x);
    add(size, x, y, a.tensor(size, "y", x));
  });
  add_kernel("relu", [](Args& a) {
    const int64_t size = a.whole("size");
    const auto x = a.tensor(size, "x");
    relu(size, x, a.tensor(size, "y", x));
  });
  add_kernel("reluGrad", [](Args& a) {
    const int64_t size = a.whole("size");
    const auto dy = a.tensor(size, "dy"), y = a.tensor(size, "y", dy);
    relu_grad(size, dy, y, a.tensor(size, "dx", dy));
  });
  add_kernel("dropout", [](Args& a) {
    const int64_t size = a.whole("size");
    const double p = a.number("p");
    const auto seed = static_cast<uint32_t>(a.whole("seed"));
    const auto x = a.tensor(size, "x");
    dropout(size, x, p, seed, a.tensor(size, "y", x));
  });
  add_kernel("concat", [](Args& a) {
    const int64_t rows = a.whole("rows"), ac = a.whole("ac"), bc = a.whole("bc");
    a.about(list({rows, ac}) + ", " + list({rows, bc}));
    const auto x = a.tensor(rows * ac, "a"), y = a.tensor(rows * bc, "b", x);
    concat(rows, ac, bc, x, y, a.tensor(rows * (ac + bc), "y", x));
  });
  add_kernel("channelSlice", [](Args& a) {
    const int64_t rows = a.whole("rows"), width = a.whole("width"), from = a.whole("from"), channels = a.whole("channels");
    a.about(list({rows, width}));
    if (from + channels > width) a.fail("channels", "a slice inside the row");
    const auto x = a.tensor(rows * width, "x");
    channel_slice(rows, width, from, channels, x, a.tensor(rows * channels, "y", x));
  });
  add_kernel("biasGrad", [](Args& a) {
    const int64_t rows = a.whole("rows"), channels = a.whole("channels");
    a.about(list({rows, channels}));
    const auto dy = a.tensor(rows * channels, "dy");
    bias_grad(rows, channels, dy, a.array(channels, "db"));
  });
  add_kernel("convert", [](Args& a) {
    const int64_t size = a.whole("size");
    const auto x = a.tensor(size, "x");
    convert(size, x, a.tensor(size, "y"));
  });
  add_kernel("forgetFilter", [](Args& a) { forget_filter(a.whole("filter id")); });
  add_kernel("setThreads", [](Args& a) { omp_set_num_threads(static_cast<int>(a.whole("threads"))); });
  add_kernel("setProfiling", [](Args& a) { profile().on = a.flag(), profile().kernels.clear(); });
  register_render(env, exports);
  exports.Set("profile", Napi::Function::New(env, profile_of, "profile"));
  exports.Set("peak", peak_function(env));
  exports.Set("multipliesBf16", Napi::Boolean::New(env, multiplies_bf16()));
  exports.Set("allocate", Napi::Function::New(env, allocate, "allocate"));
  exports.Set("isa", Napi::String::New(env, isa_name()));
  exports.Set("dnnlVersion", Napi::String::New(env, dnnl_version_name()));
  exports.Set("threadsMax", Napi::Number::New(env, omp_get_max_threads()));
  return exports;
}

}  // namespace

NODE_API_MODULE(onecycle_native, init)
