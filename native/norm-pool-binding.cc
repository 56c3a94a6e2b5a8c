// JavaScript to batch norm and the pools: what each call's arguments are.
#include "norm-pool-binding.h"

#include "kernel-args.h"

namespace onecycle {
namespace {

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

}  // namespace

void register_norms_and_pools(Napi::Env env, Napi::Object exports) {
  const auto add_kernel = [&](const char* name, void (*body)(Args&)) { exports.Set(name, kernel(env, name, body)); };
  add_kernel("batchNorm", bn), add_kernel("batchNormGrad", bn_grad);
  add_kernel("batchNormPool", bn_pool), add_kernel("batchNormPoolGrad", bn_pool_grad);
  add_kernel("maxPool", max_pool), add_kernel("maxPoolGrad", max_pool_grad);
  add_kernel("globalPool", global_pool), add_kernel("globalPoolGrad", global_pool_grad);
}

}  // namespace onecycle
