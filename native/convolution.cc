// Convolution by oneDNN: activations NHWC as they lie, filters HWIO outside and oneDNN's own layout inside.
// Primitives, scratchpad and reordered filters are cached by shape; libdnnl 2.x and 3.x differ in how a
// primitive is described, which `describe` hides. In bf16 what is multiplied is rounded to bfloat16 on its way
// in; sums and results are float32.
#include <dnnl.hpp>

#include <map>
#include <memory>
#include <tuple>

#include "kernels.h"

namespace onecycle {
namespace {

using namespace dnnl;
using dt = memory::data_type;
using tag = memory::format_tag;

engine& cpu() {
  static engine e(engine::kind::cpu, 0);
  return e;
}
stream& queue() {
  static stream s(cpu());
  return s;
}

// memory that is reused from call to call; grown, never shrunk
void* arena(int slot, size_t bytes) {
  static std::map<int, memory> slots;
  auto& m = slots[slot];
  if (!m || m.get_desc().get_size() < bytes) {
    m = memory({{static_cast<memory::dim>(bytes)}, dt::u8, tag::a}, cpu());
  }
  return m.get_data_handle();
}
enum Slot { scratch_slot, filter_slot, first_slot, second_slot };

bool bf16 = false;

enum Kind { forward_kind, input_kind, filter_kind };

// types as a primitive of that kind sees them: its two inputs are rounded in bf16, its result is not
struct Descs {
  memory::desc x, f_any, f_hwio, bias, y;
  memory::dims strides, pad;
  Descs(const ConvShape& s, dt x_type, dt f_type, dt y_type)
      : x({s.n, s.c, s.h, s.w}, x_type, tag::nhwc),
        f_any({s.o, s.c, s.kh, s.kw}, f_type, tag::any),
        f_hwio({s.o, s.c, s.kh, s.kw}, dt::f32, tag::hwio),
        bias({s.o}, dt::f32, tag::x),
        y({s.n, s.o, s.oh(), s.ow()}, y_type, tag::nhwc),
        strides{s.stride, s.stride},
        pad{s.pad, s.pad} {}
};

Descs descs_of(Kind kind, const ConvShape& s) {
  const dt in = bf16 ? dt::bf16 : dt::f32;
  if (kind == forward_kind) return {s, in, in, dt::f32};
  if (kind == input_kind) return {s, dt::f32, in, in};
  return {s, in, dt::f32, in};
}

primitive_attr attributes(bool relu) {
  primitive_attr a;
  a.set_scratchpad_mode(scratchpad_mode::user);
  if (relu) {
    post_ops ops;
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(algorithm::eltwise_relu, 0.f, 0.f);
#else
    ops.append_eltwise(1.f, algorithm::eltwise_relu, 0.f, 0.f);
#endif
    a.set_post_ops(ops);
  }
  return a;
}

constexpr auto direct = algorithm::convolution_direct;

convolution_forward::primitive_desc describe_forward(const Descs& d, bool bias, bool relu) {
  const auto attr = attributes(relu);
#if DNNL_VERSION_MAJOR >= 3
  if (bias) return {cpu(), prop_kind::forward_training, direct, d.x, d.f_any, d.bias, d.y, d.strides, d.pad, d.pad, attr};
  return {cpu(), prop_kind::forward_training, direct, d.x, d.f_any, d.y, d.strides, d.pad, d.pad, attr};
#else
  using op = convolution_forward::desc;
  const auto desc = bias ? op(prop_kind::forward_training, direct, d.x, d.f_any, d.bias, d.y, d.strides, d.pad, d.pad)
                         : op(prop_kind::forward_training, direct, d.x, d.f_any, d.y, d.strides, d.pad, d.pad);
  return {desc, attr, cpu()};
#endif
}

convolution_backward_data::primitive_desc describe_input_grad(const Descs& d, const Descs& forward) {
  const auto hint = describe_forward(forward, false, false);
  const auto attr = attributes(false);
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), direct, d.x, d.f_any, d.y, d.strides, d.pad, d.pad, hint, attr};
#else
  return {{direct, d.x, d.f_any, d.y, d.strides, d.pad, d.pad}, attr, cpu(), hint};
#endif
}

convolution_backward_weights::primitive_desc describe_filter_grad(const Descs& d, const Descs& forward) {
  const auto hint = describe_forward(forward, false, false);
  const auto attr = attributes(false);
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), direct, d.x, d.f_any, d.y, d.strides, d.pad, d.pad, hint, attr};
#else
  return {{direct, d.x, d.f_any, d.y, d.strides, d.pad, d.pad}, attr, cpu(), hint};
#endif
}

struct Plan {
  primitive conv;
  memory::desc x, filter, f_hwio, bias, y, scratch;
  primitive to_inside, to_outside;
  bool reorders = false;
};

using Key = std::tuple<int, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool, bool, bool>;

template <typename Conv, typename Desc>
Plan finish(const Descs& d, const Desc& pd, const memory::desc& filter) {
  Plan p;
  p.conv = Conv(pd);
  p.x = d.x, p.y = d.y, p.bias = d.bias, p.f_hwio = d.f_hwio;
  p.filter = filter;
  p.scratch = pd.scratchpad_desc();
  p.reorders = filter != d.f_hwio;
  if (p.reorders) {
    p.to_inside = reorder(reorder::primitive_desc(cpu(), d.f_hwio, cpu(), filter));
    p.to_outside = reorder(reorder::primitive_desc(cpu(), filter, cpu(), d.f_hwio));
  }
  return p;
}

const Plan& plan(Kind kind, const ConvShape& s, bool bias, bool relu) {
  static std::map<Key, Plan> plans;
  const Key key{kind, s.n, s.h, s.w, s.c, s.kh, s.kw, s.o, s.stride, s.pad, bias, relu, bf16};
  auto found = plans.find(key);
  if (found != plans.end()) return found->second;
  const Descs d = descs_of(kind, s);
  const dt in = bf16 ? dt::bf16 : dt::f32;
  const Descs hint(s, in, in, in);
  Plan p;
  if (kind == forward_kind) {
    const auto pd = describe_forward(d, bias, relu);
    p = finish<convolution_forward>(d, pd, pd.weights_desc());
  } else if (kind == input_kind) {
    const auto pd = describe_input_grad(d, hint);
    p = finish<convolution_backward_data>(d, pd, pd.weights_desc());
  } else {
    const auto pd = describe_filter_grad(d, hint);
    p = finish<convolution_backward_weights>(d, pd, pd.diff_weights_desc());
  }
  return plans.emplace(key, std::move(p)).first->second;
}

memory view(const memory::desc& d, const float* data) { return {d, cpu(), const_cast<float*>(data)}; }
// an input as the primitive wants it: as it lies, or rounded to nearest even
memory rounded(const memory::desc& d, const float* data, Slot slot) {
#if DNNL_VERSION_MAJOR >= 3
  const bool as_is = d.get_data_type() != dt::bf16;
#else
  const bool as_is = d.data_type() != dt::bf16;
#endif
  if (as_is) return view(d, data);
  auto* to = static_cast<uint16_t*>(arena(slot, d.get_size()));
  const auto* from = reinterpret_cast<const uint32_t*>(data);
  const int64_t size = static_cast<int64_t>(d.get_size() / 2);
#pragma omp parallel for simd
  for (int64_t i = 0; i < size; i++) {
    const uint32_t u = from[i];
    const bool nan = (u & 0x7fffffff) > 0x7f800000;
    to[i] = static_cast<uint16_t>(nan ? (u >> 16) | 0x40 : (u + 0x7fff + ((u >> 16) & 1)) >> 16);
  }
  return {d, cpu(), to};
}
memory scratch(const Plan& p) { return {p.scratch, cpu(), arena(scratch_slot, p.scratch.get_size() + 64)}; }

memory inside(const Plan& p, const float* filter) {
  if (!p.reorders) return view(p.filter, filter);
  memory to(p.filter, cpu(), arena(filter_slot, p.filter.get_size()));
  p.to_inside.execute(queue(), {{DNNL_ARG_FROM, view(p.f_hwio, filter)}, {DNNL_ARG_TO, to}});
  return to;
}

}  // namespace

void conv_forward(const ConvShape& s, const float* x, const float* filter, const float* bias, bool relu, float* y) {
  const auto& p = plan(forward_kind, s, bias != nullptr, relu);
  std::unordered_map<int, memory> args{{DNNL_ARG_SRC, rounded(p.x, x, first_slot)},
                                       {DNNL_ARG_WEIGHTS, inside(p, filter)},
                                       {DNNL_ARG_DST, view(p.y, y)},
                                       {DNNL_ARG_SCRATCHPAD, scratch(p)}};
  if (bias) args.emplace(DNNL_ARG_BIAS, view(p.bias, bias));
  p.conv.execute(queue(), args);
  queue().wait();
}

void conv_input_grad(const ConvShape& s, const float* dy, const float* filter, float* dx) {
  const auto& p = plan(input_kind, s, false, false);
  p.conv.execute(queue(), {{DNNL_ARG_DIFF_DST, rounded(p.y, dy, first_slot)},
                           {DNNL_ARG_WEIGHTS, inside(p, filter)},
                           {DNNL_ARG_DIFF_SRC, view(p.x, dx)},
                           {DNNL_ARG_SCRATCHPAD, scratch(p)}});
  queue().wait();
}

void conv_filter_grad(const ConvShape& s, const float* x, const float* dy, float* dfilter) {
  const auto& p = plan(filter_kind, s, false, false);
  memory inner = p.reorders ? memory(p.filter, cpu(), arena(filter_slot, p.filter.get_size())) : view(p.filter, dfilter);
  p.conv.execute(queue(), {{DNNL_ARG_SRC, rounded(p.x, x, first_slot)},
                           {DNNL_ARG_DIFF_DST, rounded(p.y, dy, second_slot)},
                           {DNNL_ARG_DIFF_WEIGHTS, inner},
                           {DNNL_ARG_SCRATCHPAD, scratch(p)}});
  if (p.reorders) p.to_outside.execute(queue(), {{DNNL_ARG_FROM, inner}, {DNNL_ARG_TO, view(p.f_hwio, dfilter)}});
  queue().wait();
}

void set_bf16(bool on) { bf16 = on; }

bool multiplies_bf16() {
  const auto isa = get_effective_cpu_isa();
  return isa == cpu_isa::avx512_core_bf16 || isa == cpu_isa::avx512_core_amx;
}

std::string isa_name() {
  switch (get_effective_cpu_isa()) {
    case cpu_isa::avx512_core_amx: return "avx512_core_amx";
    case cpu_isa::avx512_core_bf16: return "avx512_core_bf16";
    case cpu_isa::avx512_core_vnni: return "avx512_core_vnni";
    case cpu_isa::avx512_core: return "avx512_core";
    case cpu_isa::avx2_vnni: return "avx2_vnni";
    case cpu_isa::avx2: return "avx2";
    case cpu_isa::avx: return "avx";
    case cpu_isa::sse41: return "sse41";
    default: return "generic";
  }
}

std::string dnnl_version_name() {
  const auto* v = dnnl::version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

}  // namespace onecycle
