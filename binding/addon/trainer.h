// NativeTrainer of src/native.ts: the training of a model's weights.
#pragma once

#include "addon/run_object.h"

namespace softprompt {

class TrainerObject final
    : public RunObject<TrainerObject, ModelTrainer, &Session::trainers, &Environment::trainerClass> {
 public:
  static Napi::Function define(Napi::Env env);

  using RunObject::RunObject;

 private:
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value loss(const Napi::CallbackInfo& info);
  Napi::Value keep(const Napi::CallbackInfo& info);
  Napi::Value recall(const Napi::CallbackInfo& info);
  Napi::Value setBack(const Napi::CallbackInfo& info);
  Napi::Value exchange(const Napi::CallbackInfo& info);
};

}  // namespace softprompt
