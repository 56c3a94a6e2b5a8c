// renderBatch and mixRows for JavaScript. Everything that a kernel will read or write is checked here, on the
// caller's thread, before anything is queued; the rendering itself runs on libuv's pool, one batch a task.
#include "render-binding.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "kernel-args.h"
#include "render.h"

namespace onecycle {
namespace {

// numbers of a plan in `plans`; src/engine/onednn/render.ts has their order
constexpr size_t plan_stride = 29;
/** Two pixels less than what an int32 counts in bytes. */
constexpr int64_t picture_bytes_max = 2147483640;
constexpr int64_t side_max = 1 << 28;

struct Job {
  std::vector<Picture> pictures;
  std::vector<RenderPlan> plans;
  bool normalized = false;
  ChannelStats stats{};
  Buffer out{};
};

[[noreturn]] void fail(const std::string& what) { throw std::invalid_argument("renderBatch: " + what); }

/** Reads one plan; every fault names the image. */
class PlanReader {
 public:
  PlanReader(const double* numbers, size_t image) : numbers_(numbers), image_(image) {}

  int64_t whole(const char* name, int64_t low, int64_t high) {
    const double value = number(name);
    if (value != std::floor(value) || value < static_cast<double>(low) || value > static_cast<double>(high)) {
      refuse(std::string(name) + ": expected a whole number in " + std::to_string(low) + ".." + std::to_string(high) +
             ", got " + std::to_string(value));
    }
    return static_cast<int64_t>(value);
  }
  double number(const char* name) {
    const double value = numbers_[next_++];
    if (!std::isfinite(value)) refuse(std::string(name) + ": expected a finite number, got " + std::to_string(value));
    return value;
  }
  [[noreturn]] void refuse(const std::string& what) { fail("image " + std::to_string(image_) + ": " + what); }

 private:
  const double* numbers_;
  size_t image_, next_ = 0;
};

RenderPlan plan_of(PlanReader& read, Picture& picture) {
  RenderPlan p{};
  picture.h = read.whole("height", 1, side_max), picture.w = read.whole("width", 1, side_max);
  p.shrink_h = read.whole("shrink height", 0, picture.h), p.shrink_w = read.whole("shrink width", 0, picture.w);
  p.grid_h = read.whole("grid height", 0, side_max), p.grid_w = read.whole("grid width", 0, side_max);
  if ((p.shrink_h == 0) != (p.shrink_w == 0)) read.refuse("shrink: expected two sizes, or 0 and 0");
  if ((p.grid_h == 0) != (p.grid_w == 0)) read.refuse("grid: expected two sizes, or 0 and 0");
  if (p.shrink_h > 0 && p.grid_h == 0) read.refuse("shrink: expected a grid that samples what is averaged down");
  for (double& value : p.warp) value = read.number("warp");
  for (double& value : p.affine) value = read.number("affine");
  p.lit = read.whole("lit", 0, 1) == 1;
  p.scale = read.number("lighting scale"), p.shift = read.number("lighting shift");
  p.dihedral = static_cast<int>(read.whole("dihedral", 0, 7));
  p.crop_row = read.whole("crop row", -side_max, side_max), p.crop_column = read.whole("crop column", -side_max, side_max);
  p.out_h = read.whole("out height", 1, side_max), p.out_w = read.whole("out width", 1, side_max);
  p.padding = static_cast<Padding>(read.whole("padding mode", 0, 2));
  return p;
}

/** The elements of a typed array, whatever its type is; null when it is none. */
template <typename T>
T* elements(Napi::Value value, napi_typedarray_type type, size_t* length) {
  if (!value.IsTypedArray()) return nullptr;
  const auto typed = value.As<Napi::TypedArray>();
  if (typed.TypedArrayType() != type || !typed.ArrayBuffer().IsArrayBuffer()) return nullptr;
  static T none{};
  *length = typed.ElementLength();
  // an empty or a detached array has no address
  return *length == 0 ? &none : reinterpret_cast<T*>(static_cast<uint8_t*>(typed.ArrayBuffer().Data()) + typed.ByteOffset());
}

Picture picture_of(Napi::Value value, size_t image, size_t* length) {
  Picture picture{};
  picture.bytes = elements<uint8_t>(value, napi_uint8_array, length);
  if (!picture.bytes) picture.floats = elements<float>(value, napi_float32_array, length);
  if (!picture.bytes && !picture.floats) {
    fail("image " + std::to_string(image) + ": expected a Uint8Array, or a Float32Array in 0..1");
  }
  return picture;
}

/** The arguments, checked; `held` receives every array that the job points into. */
Job job_of(Napi::Value argument, Napi::Array held) {
  if (!argument.IsObject()) fail("expected {images, plans, normalize, out}");
  const auto options = argument.As<Napi::Object>();
  const Napi::Value given = options.Get("images");
  if (!given.IsArray()) fail("images: expected an array");
  const auto images = given.As<Napi::Array>();
  const size_t n = images.Length();
  size_t length = 0;
  const double* numbers = elements<double>(options.Get("plans"), napi_float64_array, &length);
  if (!numbers || length != n * plan_stride) {
    fail("plans: expected a Float64Array of " + std::to_string(n * plan_stride) + " values for " + std::to_string(n) + " images");
  }
  const std::vector<double> plans(numbers, numbers + length);
  Job job;
  const Napi::Value normalize = options.Get("normalize");
  if (!normalize.IsNull()) {
    const float* stats = elements<float>(normalize, napi_float32_array, &length);
    if (!stats || length != 6) fail("normalize: expected null or a Float32Array of 3 means and 3 deviations");
    std::copy_n(stats, 3, job.stats.mean), std::copy_n(stats + 3, 3, job.stats.std);
    job.normalized = true;
  }
  int64_t values = 0;
  for (size_t i = 0; i < n; i++) {
    const Napi::Value image = images.Get(static_cast<uint32_t>(i));
    auto picture = picture_of(image, i, &length);
    PlanReader read(plans.data() + i * plan_stride, i);
    const auto plan = plan_of(read, picture);
    const int64_t size = picture.h * picture.w * 3;
    if (size > picture_bytes_max || static_cast<int64_t>(length) != size) {
      read.refuse("pixels: expected " + std::to_string(picture.h) + "x" + std::to_string(picture.w) + "x3 = " +
                  std::to_string(size) + " values, got " + std::to_string(length));
    }
    values += plan.out_h * plan.out_w * 3;
    if (values > (int64_t{1} << 53)) read.refuse("out: expected a batch that memory can hold");
    job.pictures.push_back(picture), job.plans.push_back(plan);
    held.Set(static_cast<uint32_t>(i), image);
  }
  const Napi::Value out = options.Get("out");
  job.out = {elements<float>(out, napi_float32_array, &length), Type::f32};
  if (!job.out.data) job.out = {elements<uint16_t>(out, napi_uint16_array, &length), Type::bf16};
  if (!job.out.data) fail("out: expected a Float32Array, or a Uint16Array of bfloat16");
  if (static_cast<int64_t>(length) != values) {
    fail("out: expected " + std::to_string(values) + " values for " + std::to_string(n) + " images, got " + std::to_string(length));
  }
  held.Set(static_cast<uint32_t>(n), out);
  return job;
}

class RenderWorker : public Napi::AsyncWorker {
 public:
  RenderWorker(Napi::Env env, Job job, Napi::Array held)
      : Napi::AsyncWorker(env, "renderBatch"), job_(std::move(job)), deferred_(env), held_(Napi::Persistent(held.As<Napi::Object>())) {}
  Napi::Promise promise() { return deferred_.Promise(); }

 protected:
  void Execute() override {
    int64_t at = 0;
    const int64_t bytes = job_.out.type == Type::f32 ? 4 : 2;
    for (size_t i = 0; i < job_.pictures.size(); i++) {
      const auto& plan = job_.plans[i];
      const Buffer out{static_cast<uint8_t*>(job_.out.data) + at * bytes, job_.out.type};
      render(job_.pictures[i], plan, job_.normalized ? &job_.stats : nullptr, out);
      at += plan.out_h * plan.out_w * 3;
    }
  }
  void OnOK() override { deferred_.Resolve(Env().Undefined()); }
  void OnError(const Napi::Error& error) override {
    deferred_.Reject(Napi::Error::New(Env(), "renderBatch: " + error.Message()).Value());
  }

 private:
  Job job_;
  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference held_;
};

Napi::Value render_batch(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const auto held = Napi::Array::New(env);
  try {
    auto worker = std::make_unique<RenderWorker>(env, job_of(info[0], held), held);
    const auto promise = worker->promise();
    // it deletes itself when it is done
    worker.release()->Queue();
    return promise;
  } catch (const std::invalid_argument& error) {
    throw Napi::TypeError::New(env, error.what());
  }
}

void mix_rows_kernel(Args& a) {
  const int64_t rows = a.whole("rows"), width = a.whole("width");
  if (rows > side_max || width > picture_bytes_max) a.fail("rows, width", "a batch that memory can hold");
  const float* lambdas = a.array(rows, "lambdas");
  size_t length = 0;
  const uint32_t* order = elements<uint32_t>(a.next(), napi_uint32_array, &length);
  if (!order || static_cast<int64_t>(length) != rows) a.fail("order", std::to_string(rows) + " values in a Uint32Array");
  for (int64_t i = 0; i < rows; i++) {
    if (order[i] >= rows) a.fail("order", "rows below " + std::to_string(rows) + ", got " + std::to_string(order[i]));
  }
  const auto x = a.tensor(rows * width, "x");
  const auto y = a.tensor(rows * width, "y", x);
  if (x.data == y.data && rows * width > 0) a.fail("y", "an array other than x, whose rows are read again");
  mix_rows(rows, width, lambdas, order, x, y);
}

}  // namespace

void register_render(Napi::Env env, Napi::Object exports) {
  exports.Set("renderBatch", Napi::Function::New(env, render_batch, "renderBatch"));
  exports.Set("mixRows", kernel(env, "mixRows", mix_rows_kernel));
}

}  // namespace onecycle
