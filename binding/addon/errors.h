// Failures of the native side as errors of JavaScript, and those of JavaScript where no caller is left to catch them.
#pragma once

#include <exception>

#include "addon/napi.h"

namespace softprompt {

// An Error whose `code` and message are those of describeFailure().
Napi::Error toJsError(Napi::Env env, const std::exception_ptr& failure);

// Calls a user's function. What it throws becomes the process's (or Worker's) uncaught exception, as if it had been
// thrown from an event handler; null and undefined too.
void callUser(Napi::Env env, napi_value function, std::initializer_list<napi_value> arguments);

// The uncaught exception itself. Nothing happens where the environment is ending.
void reportUncaught(napi_env env, napi_value error);

}  // namespace softprompt
