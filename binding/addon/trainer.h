// NativeTrainer of src/native.ts: the training of a model's weights as an object of JavaScript. The trainer itself
// lives in its model's session.
#pragma once

#include "addon/napi.h"
#include "addon/session.h"

namespace softprompt {

class TrainerObject final : public Napi::ObjectWrap<TrainerObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // JS thread.
  static Napi::Object make(Napi::Env env, const SessionHandle& session, TrainerId id);

  explicit TrainerObject(const Napi::CallbackInfo& info);
  ~TrainerObject() override;

 private:
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value loss(const Napi::CallbackInfo& info);
  Napi::Value keep(const Napi::CallbackInfo& info);
  Napi::Value recall(const Napi::CallbackInfo& info);
  Napi::Value claim(const Napi::CallbackInfo& info);
  Napi::Value release(const Napi::CallbackInfo& info);
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value restore(const Napi::CallbackInfo& info);

  // `work` gets the trainer, on the compute thread.
  template <typename Work, typename ToJs>
  Napi::Value start(const Napi::CallbackInfo& info, Work work, ToJs toJs);

  SessionHandle session_;
  TrainerId id_ = 0;
};

}  // namespace softprompt
