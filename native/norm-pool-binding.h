#pragma once
#include <napi.h>

namespace onecycle {

/** Adds batch norm and the pools to the addon, and both in one. */
void register_norms_and_pools(Napi::Env env, Napi::Object exports);

}  // namespace onecycle
