#pragma once
#include <napi.h>

namespace onecycle {

/** Adds renderBatch and mixRows to the addon. */
void register_render(Napi::Env env, Napi::Object exports);

}  // namespace onecycle
