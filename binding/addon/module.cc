// What the native module exports: `Native` of src/native.ts.
#include "addon/environment.h"
#include "addon/files.h"
#include "addon/model.h"
#include "addon/napi.h"
#include "addon/trainer.h"
#include "addon/tuner.h"
#include "core/runtime/libtorch.h"

namespace softprompt {

namespace {

Napi::Value versions(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const LibTorch here = libtorch();
  Napi::Object object = Napi::Object::New(env);
  object.Set("libtorch", here.version);
  object.Set("napi", NAPI_VERSION);
  object.Set("cuda", here.cuda);
  object.Set("bfloat16", here.bfloat16);
  object.Set("threads", here.threads);
  object.Set("cpuCapability", here.cpuCapability);
  return object;
}

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void add(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<function>(exports.Env(), name));
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  Environment& environment = Environment::of(env);
  environment.modelClass = Napi::Persistent(Model::define(env));
  environment.tunerClass = Napi::Persistent(TunerObject::define(env));
  environment.trainerClass = Napi::Persistent(TrainerObject::define(env));
  add<versions>(exports, "versions");
  add<Model::load>(exports, "loadModel");
  add<Model::create>(exports, "createModel");
  add<convert>(exports, "convert");
  add<loadPromptFile>(exports, "loadPrompt");
  add<savePromptFile>(exports, "savePrompt");
  add<inspect>(exports, "inspect");
  return exports;
}

}  // namespace

NODE_API_MODULE(softprompt_core, initialise)

}  // namespace softprompt
