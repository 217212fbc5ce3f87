#include "addon/model_info.h"

#include "addon/environment.h"
#include "core/runtime/device.h"

namespace softprompt {

namespace {

Napi::Object infoObject(Napi::Env env, const ModelInfo& info) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("device", info.device);
  object.Set("dtype", info.dtype);
  object.Set("configJson", info.configJson);
  object.Set("fingerprint", info.fingerprint);
  object.Set("parameterCount", static_cast<double>(info.parameterCount));
  object.Set("bytes", static_cast<double>(info.bytes));
  object.Set("threads", info.threads);
  return object;
}

}  // namespace

ModelInfo infoOf(const Session& session) {
  const LoadedModel& model = session.model;
  return {
      .device = model.executor->device().str(),
      .dtype = model.dtype,
      .configJson = model.configJson,
      .fingerprint = model.fingerprint,
      .parameterCount = model.parameterCount,
      .bytes = model.bytes,
      .threads = session.thread->threads(),
  };
}

Napi::Value modelObject(Napi::Env env, const SessionHandle& session, const ModelInfo& info) {
  Environment& environment = Environment::of(env);
  environment.constructing = session;
  Napi::Object model = environment.modelClass.New({});
  model.Set("info", infoObject(env, info));
  return model;
}

}  // namespace softprompt
