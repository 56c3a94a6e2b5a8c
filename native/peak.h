// What this machine can do at most, measured, for the bench to hold kernels against.
#pragma once
#include <napi.h>

#include "kernels.h"

namespace onecycle {

/** FLOP/s of dense multiplication on all threads; 0 where the CPU does not multiply this type. */
double peak_flops(Type);
/** Bytes per second, read and written, on all threads. */
double peak_bandwidth();
/** `peak(kind)` for JavaScript: "f32" and "bf16" in FLOP/s, "bandwidth" in bytes/s. */
Napi::Function peak_function(Napi::Env);

}  // namespace onecycle
