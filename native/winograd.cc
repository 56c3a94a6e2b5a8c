#include "winograd.h"

#include <omp.h>

#include <algorithm>

#include "bf16.h"
#include "space-to-depth.h"

namespace onecycle {
namespace {

// forms in the cache of filters, in float32 and behind them in bfloat16; oneDNN's are the addresses of its plans
enum Form : uint64_t { upright = 1, turned = 2, squared = 3 };
constexpr uint64_t forms = 3;
constexpr int64_t points = 36, panel = 64;

// what oneDNN may use, which ONEDNN_MAX_CPU_ISA can lower, and what the compiler was told for these files
bool cpu_has_kernels(Type type) {
#ifdef ONECYCLE_WINOGRAD
  __builtin_cpu_init();
  const auto isa = isa_name();
  if (type == Type::f32) return isa.rfind("avx512", 0) == 0 && __builtin_cpu_supports("avx512f");
  // matrix units multiply faster than this saves
  const bool units = isa.rfind("avx512_core_amx", 0) == 0;
  return multiplies_bf16() && !units && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
#else
  static_cast<void>(type);
  return false;
#endif
}

#ifdef ONECYCLE_WINOGRAD

// tiles that a thread transforms at once: products and inputs should stay in its second-level cache, but the
// filter, which is read once a block, should be read seldom
template <int Taps>
int64_t block_of(const WinogradShape<Taps>& s, int threads) {
  const int64_t share = (s.tiles() + threads - 1) / threads;
  return std::min(share, s.c < 512 ? 12 * std::clamp<int64_t>(s.c / 64, 1, 3) : int64_t{72});
}

template <typename T, int Taps>
void run(const WinogradShape<Taps>& s, const void* x, const T* packed, const float* bias, bool relu, void* y) {
  const int threads = omp_get_max_threads();
  const int64_t block = block_of(s, threads);
  const size_t bytes = points * (winograd_stride<T>(block, s.c) * sizeof(T) + winograd_stride<float>(block, panel) * sizeof(float)) * threads;
  WinogradKernels<T, Taps>::forward(s, static_cast<const T*>(x), packed, bias, relu, static_cast<T*>(y),
                                    static_cast<uint8_t*>(arena(scratch_slot, bytes)), block, threads);
}

// the filter [Taps,Taps,c,o], packed once a version; `values` gives it, where it must be made first
template <typename T, int Taps, typename Values>
const T* packed_by(const WinogradShape<Taps>& s, const Filter& filter, Form form, Values values) {
  bool stale = true;
  const int64_t bytes = points * winograd_stride<T>(s.c, s.o) * sizeof(T);
  auto* packed = static_cast<T*>(packed_filter(filter, form + (sizeof(T) == 2 ? forms : 0), bytes, &stale));
  const int64_t c = form == turned ? s.o : s.c, o = form == turned ? s.c : s.o;
  if (stale) WinogradKernels<T, Taps>::pack(values(), c, o, form == turned, packed, omp_get_max_threads());
  return packed;
}

template <typename T, int Taps>
void run_filter_grad(const WinogradShape<Taps>& s, const void* x, const void* dy, float* dfilter) {
  const int threads = omp_get_max_threads();
  const int64_t panels = (s.o + panel - 1) / panel;
  const bool apart = s.c * s.o <= 64 * 64;
  WinogradBlocks blocks{};
  blocks.threads = threads;
  if (apart) {
    blocks.tiles = 48;
    blocks.channels = s.c;
  } else {
    const int64_t per_tile = points * (s.c + s.o) * static_cast<int64_t>(sizeof(T));
    blocks.tiles = std::min((s.tiles() + 1) / 2, std::max<int64_t>(32, (5 << 20) / per_tile)) * 2;
    blocks.channels = 16;
    for (const int64_t channels : {32, 24, 16, 8}) {
      if (s.c % channels != 0 || s.c / channels * panels % threads != 0) continue;
      blocks.channels = channels;
      break;
    }
  }
  blocks.jobs = (s.c + blocks.channels - 1) / blocks.channels * panels;
  const int64_t copies = apart ? threads : 1;
  const auto matrices = [&](int slot, int64_t columns) {
    return static_cast<T*>(arena(slot, sizeof(T) * points * winograd_stride<T>(blocks.tiles, columns) * copies));
  };
  const int64_t kept = apart ? threads * blocks.jobs : s.tiles() <= blocks.tiles ? threads : blocks.jobs;
  const size_t sums = sizeof(float) * points * winograd_stride<float>(blocks.channels, panel) * kept;
  using Kernels = WinogradKernels<T, Taps>;
  const auto kernel = apart ? Kernels::filter_grad_apart : Kernels::filter_grad;
  kernel(s, static_cast<const T*>(x), static_cast<const T*>(dy), dfilter, matrices(winograd_input_slot, s.c),
         matrices(winograd_output_slot, s.o), static_cast<float*>(arena(winograd_gradient_slot, sums)), blocks);
}

// 3x3 taps, or 4x4 over squares of pixels
WinogradShape<3> plain(const ConvShape& s) { return {s.n, s.h, s.w, s.c, s.o, s.c}; }
WinogradShape<3> plain_turned(const ConvShape& s) { return {s.n, s.h, s.w, s.o, s.c, s.o}; }
WinogradShape<square_taps> over_squares(const ConvShape& s) { return {s.n, s.oh(), s.ow(), square_channels, s.o, 4 * s.c}; }

float* folded_filter(const ConvShape& s) {
  return static_cast<float*>(arena(folded_filter_slot, sizeof(float) * square_taps * square_taps * square_channels * s.o));
}
const void* squares_of(const ConvShape& s, Buffer x) {
  auto* squares = arena(squares_slot, sizeof(bf16) * s.n * s.oh() * s.ow() * square_channels);
  to_squares(s, x, {squares, x.type});
  return squares;
}

#endif

}  // namespace

bool winograd_applies(const ConvShape& s, Type type, bool for_filter) {
  static const bool has_f32 = cpu_has_kernels(Type::f32), has_bf16 = cpu_has_kernels(Type::bf16);
  if (!(type == Type::f32 ? has_f32 : has_bf16)) return false;
  if (s.o % 16 != 0 || s.o < 32 || s.o > 4096) return false;
  // in float32 it loses more digits than it saves time
  if (fits_squares(s)) return type == Type::bf16 && s.kh >= 5 && s.oh() >= 4 && s.ow() >= 4;
  const bool shape = s.kh == 3 && s.kw == 3 && s.stride == 1 && s.pad == 1;
  // an image of one tile is mostly padding, which costs the filter's gradient least; few channels are mostly transforms
  const int64_t smallest = for_filter && type == Type::bf16 ? 2 : 4;
  return shape && s.h >= smallest && s.w >= smallest && s.c % 16 == 0 && s.c >= 32 && s.c <= 4096;
}

#ifdef ONECYCLE_WINOGRAD
void winograd_forward(const ConvShape& s, Buffer x, const Filter& filter, const float* bias, bool relu, Buffer y) {
  if (fits_squares(s)) {
    const auto* packed = packed_by<bf16>(over_squares(s), filter, squared, [&] {
      filter_to_squares(s, filter.values, folded_filter(s));
      return folded_filter(s);
    });
    return run<bf16>(over_squares(s), squares_of(s, x), packed, bias, relu, y.data);
  }
  with_type(x.type, [&](auto zero) {
    using T = decltype(zero);
    const auto* packed = packed_by<T>(plain(s), filter, upright, [&] { return filter.values; });
    run<T>(plain(s), x.data, packed, bias, relu, y.data);
  });
}

void winograd_input_grad(const ConvShape& s, Buffer dy, const Filter& filter, Buffer dx) {
  with_type(dy.type, [&](auto zero) {
    using T = decltype(zero);
    const auto* packed = packed_by<T>(plain_turned(s), filter, turned, [&] { return filter.values; });
    run<T>(plain_turned(s), dy.data, packed, nullptr, false, dx.data);
  });
}

void winograd_filter_grad(const ConvShape& s, Buffer x, Buffer dy, float* dfilter) {
  if (fits_squares(s)) {
    run_filter_grad<bf16>(over_squares(s), squares_of(s, x), dy.data, folded_filter(s));
    return filter_from_squares(s, folded_filter(s), dfilter);
  }
  with_type(x.type, [&](auto zero) { run_filter_grad<decltype(zero)>(plain(s), x.data, dy.data, dfilter); });
}
#else
void winograd_forward(const ConvShape&, Buffer, const Filter&, const float*, bool, Buffer) {}
void winograd_input_grad(const ConvShape&, Buffer, const Filter&, Buffer) {}
void winograd_filter_grad(const ConvShape&, Buffer, Buffer, float*) {}
#endif

}  // namespace onecycle
