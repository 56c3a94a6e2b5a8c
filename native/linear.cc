// Linear layers on oneDNN's sgemm (row-major): x [n,in], w [out,in] as PyTorch has it, y [n,out].
#include <dnnl.h>

#include <stdexcept>

#include "kernels.h"

namespace onecycle {
namespace {

void gemm(char ta, char tb, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
          int64_t ldb, float beta, float* c, int64_t ldc) {
  if (dnnl_sgemm(ta, tb, m, n, k, 1.f, a, lda, b, ldb, beta, c, ldc) != dnnl_success) {
    throw std::runtime_error("linear: sgemm failed");
  }
}

}  // namespace

void linear_forward(int64_t n, int64_t in, int64_t out, const float* x, const float* w, const float* bias, float* y) {
  if (bias)
    for (int64_t b = 0; b < n; b++)
      for (int64_t o = 0; o < out; o++) y[b * out + o] = bias[o];
  gemm('N', 'T', n, out, in, x, in, w, in, bias ? 1.f : 0.f, y, out);
}

void linear_input_grad(int64_t n, int64_t in, int64_t out, const float* dy, const float* w, float* dx) {
  gemm('N', 'N', n, in, out, dy, out, w, in, 0.f, dx, in);
}

void linear_weight_grad(int64_t n, int64_t in, int64_t out, const float* dy, const float* x, float* dw) {
  gemm('T', 'N', out, in, n, dy, out, x, in, 0.f, dw, in);
}

}  // namespace onecycle
