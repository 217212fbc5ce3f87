#include "addon/errors.h"

#include "core/runtime/failure.h"

namespace softprompt {

Napi::Error toJsError(Napi::Env env, const std::exception_ptr& failure) {
  const Failure described = describeFailure(failure);
  Napi::Error error = Napi::Error::New(env, described.message);
  error.Value().Set("code", Napi::String::New(env, described.code));
  return error;
}

// Plain Node-API: node-addon-api wraps what was thrown in an object of its own, and ends the process over some values.
void callUser(Napi::Env env, napi_value function, std::initializer_list<napi_value> arguments) {
  const napi_status status =
      napi_call_function(env, env.Undefined(), function, arguments.size(), arguments.begin(), nullptr);
  bool pending = false;
  if (status == napi_ok || napi_is_exception_pending(env, &pending) != napi_ok || !pending) return;
  napi_value thrown = nullptr;
  if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) reportUncaught(env, thrown);
}

void reportUncaught(napi_env env, napi_value error) {
  napi_fatal_exception(env, error);
}

}  // namespace softprompt
