// The kernels behind binding.cc: plain functions over float pointers, NHWC. They throw on failure.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace onecycle {

/** How a tensor's values lie in memory. */
enum class Type : uint8_t { f32, bf16 };
struct Buffer {
  void* data;
  Type type;
};

struct ConvShape {
  int64_t n, h, w, c, kh, kw, o, stride, pad;
  int64_t oh() const { return (h + 2 * pad - kh) / stride + 1; }
  int64_t ow() const { return (w + 2 * pad - kw) / stride + 1; }
};

void conv_forward(const ConvShape&, const float* x, const float* filter, const float* bias, bool relu, float* y);
void conv_input_grad(const ConvShape&, const float* dy, const float* filter, float* dx);
void conv_filter_grad(const ConvShape&, const float* x, const float* dy, float* dfilter);
// convolutions multiply in bfloat16 from now on, where multiplies_bf16() says that the CPU can
void set_bf16(bool on);
bool multiplies_bf16();
std::string isa_name();
std::string dnnl_version_name();

struct BatchNorm {
  int64_t rows, channels;
  bool training, update_running, relu;
  float momentum, eps;
};
void batch_norm_forward(const BatchNorm&, const float* x, const float* gamma, const float* beta,
                        float* running_mean, float* running_var, const float* residual, float* y,
                        float* mean, float* inverse_std);
void batch_norm_backward(const BatchNorm&, const float* dy, const float* x, const float* y,
                         const float* gamma, const float* mean, const float* inverse_std, float* dx,
                         float* dgamma, float* dbeta, float* dresidual);

struct PoolShape {
  int64_t n, h, w, c, size, stride, pad, oh, ow;
};
void max_pool_forward(const PoolShape&, const float* x, float* y, float* places);
void max_pool_backward(const PoolShape&, const float* dy, const float* places, float* dx);
void global_pool_forward(int64_t n, int64_t pixels, int64_t c, bool max, const float* x, float* y, float* places);
void global_pool_backward(int64_t n, int64_t pixels, int64_t c, bool max, const float* dy, const float* places, float* dx);

void linear_forward(int64_t n, int64_t in, int64_t out, const float* x, const float* w, const float* bias, float* y);
void linear_input_grad(int64_t n, int64_t in, int64_t out, const float* dy, const float* w, float* dx);
void linear_weight_grad(int64_t n, int64_t in, int64_t out, const float* dy, const float* x, float* dw);

void add(int64_t size, const float* a, const float* b, float* y);
void relu(int64_t size, const float* x, float* y);
void relu_grad(int64_t size, const float* dy, const float* y, float* dx);
void dropout(int64_t size, const float* x, double p, uint32_t seed, float* y);
void concat(int64_t rows, int64_t ac, int64_t bc, const float* a, const float* b, float* y);
void channel_slice(int64_t rows, int64_t width, int64_t from, int64_t channels, const float* x, float* y);
void bias_grad(int64_t rows, int64_t channels, const float* dy, float* db);

void cross_entropy(int64_t n, int64_t classes, const float* logits, const float* targets, float* loss, float* log_p);
void cross_entropy_grad(int64_t n, int64_t classes, float dy, const float* targets, const float* log_p, float* dx);

struct AdamStep {
  double lr, beta1, beta2, eps, wd;
  bool true_wd;
  double correction1, correction2;
};
struct AdamTensor {
  float *p, *m, *v;
  const float* g;
  int64_t size;
};
void adamw(const AdamStep&, const std::vector<AdamTensor>&);

}  // namespace onecycle
