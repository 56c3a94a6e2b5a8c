// Convolution by oneDNN, or by Winograd's algorithm where that needs fewer multiplications. Activations are NHWC
// as they lie, float32 or bfloat16; filters float32 HWIO outside and oneDNN's own layout inside, reordered once
// for each version. Primitives are cached by shape; libdnnl 2.x and 3.x differ in how a primitive is described,
// which `describe_` hides.
#include <dnnl.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>
#include <unordered_map>

#include "kernels.h"
#include "winograd.h"

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

enum Kind { forward_kind, input_kind, filter_kind };

// the taps of a filter that meet the image at all: of a 3x3 filter on one pixel only the middle one does
struct Taps {
  int64_t begin, end;
  Taps(int64_t size, int64_t taps, int64_t stride, int64_t pad, int64_t out)
      : begin(std::max<int64_t>(0, pad - (out - 1) * stride)), end(std::min(taps, size + pad)) {}
  int64_t count() const { return end - begin; }
};

struct Descs {
  Taps rows, columns;
  memory::desc x, f_any, f_hwio, bias, y;
  memory::dims strides, pad_l, pad_r;
  Descs(const ConvShape& s, dt x_type, dt f_type, dt y_type)
      : rows(s.h, s.kh, s.stride, s.pad, s.oh()),
        columns(s.w, s.kw, s.stride, s.pad, s.ow()),
        x({s.n, s.c, s.h, s.w}, x_type, tag::nhwc),
        f_any({s.o, s.c, rows.count(), columns.count()}, f_type, tag::any),
        f_hwio({s.o, s.c, rows.count(), columns.count()}, dt::f32, memory::dims{1, s.o, s.kw * s.c * s.o, s.c * s.o}),
        bias({s.o}, dt::f32, tag::x),
        y({s.n, s.o, s.oh(), s.ow()}, y_type, tag::nhwc),
        strides{s.stride, s.stride},
        pad_l{s.pad - rows.begin, s.pad - columns.begin},
        pad_r{behind(s.h, s.oh(), s.stride, rows, pad_l[0]), behind(s.w, s.ow(), s.stride, columns, pad_l[1])} {}

  static int64_t behind(int64_t size, int64_t out, int64_t stride, const Taps& taps, int64_t before) {
    return std::max<int64_t>(0, (out - 1) * stride + taps.count() - size - before);
  }
};

Descs descs_of(Kind kind, const ConvShape& s, Type type) {
  const dt in = type == Type::bf16 ? dt::bf16 : dt::f32;
  return {s, in, kind == filter_kind ? dt::f32 : in, in};
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
  if (bias) return {cpu(), prop_kind::forward_training, direct, d.x, d.f_any, d.bias, d.y, d.strides, d.pad_l, d.pad_r, attr};
  return {cpu(), prop_kind::forward_training, direct, d.x, d.f_any, d.y, d.strides, d.pad_l, d.pad_r, attr};
#else
  using op = convolution_forward::desc;
  const auto desc = bias ? op(prop_kind::forward_training, direct, d.x, d.f_any, d.bias, d.y, d.strides, d.pad_l, d.pad_r)
                         : op(prop_kind::forward_training, direct, d.x, d.f_any, d.y, d.strides, d.pad_l, d.pad_r);
  return {desc, attr, cpu()};
#endif
}

convolution_backward_data::primitive_desc describe_input_grad(const Descs& d, const Descs& forward) {
  const auto hint = describe_forward(forward, false, false);
  const auto attr = attributes(false);
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), direct, d.x, d.f_any, d.y, d.strides, d.pad_l, d.pad_r, hint, attr};
#else
  return {{direct, d.x, d.f_any, d.y, d.strides, d.pad_l, d.pad_r}, attr, cpu(), hint};
#endif
}

convolution_backward_weights::primitive_desc describe_filter_grad(const Descs& d, const Descs& forward) {
  const auto hint = describe_forward(forward, false, false);
  const auto attr = attributes(false);
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), direct, d.x, d.f_any, d.y, d.strides, d.pad_l, d.pad_r, hint, attr};
#else
  return {{direct, d.x, d.f_any, d.y, d.strides, d.pad_l, d.pad_r}, attr, cpu(), hint};
#endif
}

struct Plan {
  primitive conv;
  memory::desc x, filter, f_hwio, bias, y, scratch;
  primitive to_inside, to_outside;
  bool reorders = false;
  /** Where the taps that count begin, and whether there are others. */
  int64_t offset = 0;
  bool cropped = false;
};

using Key = std::tuple<int, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool, bool, Type>;

template <typename Conv, typename Desc>
Plan finish(const ConvShape& s, const Descs& d, const Desc& pd, const memory::desc& filter) {
  Plan p;
  p.conv = Conv(pd);
  p.x = d.x, p.y = d.y, p.bias = d.bias, p.f_hwio = d.f_hwio;
  p.filter = filter;
  p.scratch = pd.scratchpad_desc();
  p.reorders = filter != d.f_hwio;
  p.offset = (d.rows.begin * s.kw + d.columns.begin) * s.c * s.o;
  p.cropped = d.rows.count() < s.kh || d.columns.count() < s.kw;
  if (p.reorders) {
    p.to_inside = reorder(reorder::primitive_desc(cpu(), d.f_hwio, cpu(), filter));
    p.to_outside = reorder(reorder::primitive_desc(cpu(), filter, cpu(), d.f_hwio));
  }
  return p;
}

const Plan& plan(Kind kind, const ConvShape& s, Type type, bool bias, bool relu) {
  static std::map<Key, Plan> plans;
  const Key key{kind, s.n, s.h, s.w, s.c, s.kh, s.kw, s.o, s.stride, s.pad, bias, relu, type};
  auto found = plans.find(key);
  if (found != plans.end()) return found->second;
  const Descs d = descs_of(kind, s, type);
  const Descs hint = descs_of(forward_kind, s, type);
  Plan p;
  if (kind == forward_kind) {
    const auto pd = describe_forward(d, bias, relu);
    p = finish<convolution_forward>(s, d, pd, pd.weights_desc());
  } else if (kind == input_kind) {
    const auto pd = describe_input_grad(d, hint);
    p = finish<convolution_backward_data>(s, d, pd, pd.weights_desc());
  } else {
    const auto pd = describe_filter_grad(d, hint);
    p = finish<convolution_backward_weights>(s, d, pd, pd.diff_weights_desc());
  }
  return plans.emplace(key, std::move(p)).first->second;
}

memory view(const memory::desc& d, const void* data) { return {d, cpu(), const_cast<void*>(data)}; }
memory scratch(const Plan& p) { return view(p.scratch, arena(scratch_slot, p.scratch.get_size() + 64)); }

memory inside(const Plan& p, const Filter& filter) {
  const float* taps = filter.values + p.offset;
  if (!p.reorders) return view(p.filter, taps);
  bool stale = true;
  memory to = view(p.filter, packed_filter(filter, reinterpret_cast<uintptr_t>(&p), p.filter.get_size(), &stale));
  if (stale) p.to_inside.execute(queue(), {{DNNL_ARG_FROM, view(p.f_hwio, taps)}, {DNNL_ARG_TO, to}});
  return to;
}

}  // namespace

void conv_forward(const ConvShape& s, Buffer x, const Filter& filter, const float* bias, bool relu, Buffer y) {
  if (winograd_applies(s, x.type, false)) return winograd_forward(s, x, filter, bias, relu, y);
  const auto& p = plan(forward_kind, s, x.type, bias != nullptr, relu);
  std::unordered_map<int, memory> args{{DNNL_ARG_SRC, view(p.x, x.data)},
                                       {DNNL_ARG_WEIGHTS, inside(p, filter)},
                                       {DNNL_ARG_DST, view(p.y, y.data)},
                                       {DNNL_ARG_SCRATCHPAD, scratch(p)}};
  if (bias) args.emplace(DNNL_ARG_BIAS, view(p.bias, bias));
  p.conv.execute(queue(), args);
  queue().wait();
}

void conv_input_grad(const ConvShape& s, Buffer dy, const Filter& filter, Buffer dx) {
  if (s.stride == 1 && winograd_applies(s, dy.type, false)) return winograd_input_grad(s, dy, filter, dx);
  const auto& p = plan(input_kind, s, dy.type, false, false);
  p.conv.execute(queue(), {{DNNL_ARG_DIFF_DST, view(p.y, dy.data)},
                           {DNNL_ARG_WEIGHTS, inside(p, filter)},
                           {DNNL_ARG_DIFF_SRC, view(p.x, dx.data)},
                           {DNNL_ARG_SCRATCHPAD, scratch(p)}});
  queue().wait();
}

void conv_filter_grad(const ConvShape& s, Buffer x, Buffer dy, float* dfilter) {
  if (winograd_applies(s, x.type, true)) return winograd_filter_grad(s, x, dy, dfilter);
  const auto& p = plan(filter_kind, s, x.type, false, false);
  // taps that meet nothing have no gradient
  if (p.cropped) std::memset(dfilter, 0, sizeof(float) * s.kh * s.kw * s.c * s.o);
  memory inner = view(p.filter, p.reorders ? arena(filter_slot, p.filter.get_size()) : dfilter + p.offset);
  p.conv.execute(queue(), {{DNNL_ARG_SRC, view(p.x, x.data)},
                           {DNNL_ARG_DIFF_DST, view(p.y, dy.data)},
                           {DNNL_ARG_DIFF_WEIGHTS, inner},
                           {DNNL_ARG_SCRATCHPAD, scratch(p)}});
  if (p.reorders) p.to_outside.execute(queue(), {{DNNL_ARG_FROM, inner}, {DNNL_ARG_TO, view(p.f_hwio, dfilter + p.offset)}});
  queue().wait();
}

bool multiplies_bf16() {
  const auto isa = isa_name();
  return isa.rfind("avx512_core_bf16", 0) == 0 || isa.rfind("avx512_core_fp16", 0) == 0 || isa.rfind("avx512_core_amx", 0) == 0;
}

std::string isa_name() {
#if defined(__x86_64__) || defined(_M_X64)
  switch (get_effective_cpu_isa()) {
#if DNNL_VERSION_MAJOR >= 3
    case cpu_isa::avx512_core_amx_fp16: return "avx512_core_amx_fp16";
    case cpu_isa::avx512_core_fp16: return "avx512_core_fp16";
    case cpu_isa::avx2_vnni_2: return "avx2_vnni_2";
#endif
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
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "generic";
#endif
}

std::string dnnl_version_name() {
  const auto* v = dnnl::version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

}  // namespace onecycle
