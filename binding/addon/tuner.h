// NativeTuner of src/native.ts: a tuning run.
#pragma once

#include "addon/run_object.h"

namespace softprompt {

class TunerObject final : public RunObject<TunerObject, Tuner, &Session::tuners, &Environment::tunerClass> {
 public:
  static Napi::Function define(Napi::Env env);

  using RunObject::RunObject;

 private:
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value prompt(const Napi::CallbackInfo& info);
  Napi::Value reset(const Napi::CallbackInfo& info);
};

}  // namespace softprompt
