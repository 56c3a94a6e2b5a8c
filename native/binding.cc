// JavaScript to kernels: what each call's arguments are.
#include <omp.h>

#include <cstdlib>

#include "kernel-args.h"
#include "norm-pool-binding.h"
#include "peak.h"
#include "render-binding.h"

namespace {

using namespace onecycle;

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
  register_norms_and_pools(env, exports);
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
