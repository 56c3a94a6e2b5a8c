// The kernels behind binding.cc: plain functions over memory, NHWC. A Buffer is stored as float32 or bfloat16,
// all buffers of one call alike; everything else is float32. They throw on failure.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "filter-cache.h"

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

void conv_forward(const ConvShape&, Buffer x, const Filter&, const float* bias, bool relu, Buffer y);
void conv_input_grad(const ConvShape&, Buffer dy, const Filter&, Buffer dx);
void conv_filter_grad(const ConvShape&, Buffer x, Buffer dy, float* dfilter);

bool multiplies_bf16();
std::string isa_name();
std::string dnnl_version_name();

struct BatchNorm {
  int64_t rows, channels;
  bool training, update_running, relu;
  float momentum, eps;
};
/** residual.data may be null. */
void batch_norm_forward(const BatchNorm&, Buffer x, const float* gamma, const float* beta, float* running_mean,
                        float* running_var, Buffer residual, Buffer y, float* mean, float* inverse_std);
/** dresidual.data is null where there was no residual; y is read only where there was one. */
void batch_norm_backward(const BatchNorm&, Buffer dy, Buffer x, Buffer y, const float* gamma, const float* beta,
                         const float* mean, const float* inverse_std, Buffer dx, float* dgamma, float* dbeta,
                         Buffer dresidual);

struct PoolShape {
  int64_t n, h, w, c, size, stride, pad, oh, ow;
};
void max_pool_forward(const PoolShape&, Buffer x, Buffer y, uint8_t* places);
void max_pool_backward(const PoolShape&, Buffer dy, const uint8_t* places, Buffer dx);
/** max_pool(relu(batch_norm(x))); peaks, of y's shape, is x where the maximum was. */
void batch_norm_pool_forward(const BatchNorm&, const PoolShape&, Buffer x, const float* gamma, const float* beta,
                             float* running_mean, float* running_var, Buffer y, Buffer peaks, uint8_t* places,
                             float* mean, float* inverse_std);
void batch_norm_pool_backward(const BatchNorm&, const PoolShape&, Buffer dy, Buffer x, Buffer peaks,
                              const uint8_t* places, const float* gamma, const float* beta, const float* mean,
                              const float* inverse_std, Buffer dx, float* dgamma, float* dbeta);
/** x of any storage, y float32. */
void global_pool_forward(int64_t n, int64_t pixels, int64_t c, bool max, Buffer x, float* y, float* places);
void global_pool_backward(int64_t n, int64_t pixels, int64_t c, bool max, const float* dy, const float* places, Buffer dx);

void linear_forward(int64_t n, int64_t in, int64_t out, const float* x, const float* w, const float* bias, float* y);
void linear_input_grad(int64_t n, int64_t in, int64_t out, const float* dy, const float* w, float* dx);
void linear_weight_grad(int64_t n, int64_t in, int64_t out, const float* dy, const float* x, float* dw);

void add(int64_t size, Buffer a, Buffer b, Buffer y);
void relu(int64_t size, Buffer x, Buffer y);
void relu_grad(int64_t size, Buffer dy, Buffer y, Buffer dx);
void dropout(int64_t size, Buffer x, double p, uint32_t seed, Buffer y);
void concat(int64_t rows, int64_t ac, int64_t bc, Buffer a, Buffer b, Buffer y);
void channel_slice(int64_t rows, int64_t width, int64_t from, int64_t channels, Buffer x, Buffer y);
void bias_grad(int64_t rows, int64_t channels, Buffer dy, float* db);
/** From one storage to another. */
void convert(int64_t size, Buffer x, Buffer y);

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

struct GradTensor {
  float* g;
  int64_t size;
};
/** Scales all gradients so that their norm is at most `max` (torch clip_grad_norm_). */
double clip_grad_norm(double max, const std::vector<GradTensor>&);

}  // namespace onecycle
