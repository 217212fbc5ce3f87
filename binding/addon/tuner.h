// NativeTuner of src/native.ts: a tuning run as an object of JavaScript. The run itself lives in its model's session.
#pragma once

#include "addon/napi.h"
#include "addon/session.h"

namespace softprompt {

class TunerObject final : public Napi::ObjectWrap<TunerObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // JS thread.
  static Napi::Object make(Napi::Env env, const SessionHandle& session, TunerId id);

  explicit TunerObject(const Napi::CallbackInfo& info);
  ~TunerObject() override;

 private:
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value prompt(const Napi::CallbackInfo& info);
  Napi::Value reset(const Napi::CallbackInfo& info);
  Napi::Value claim(const Napi::CallbackInfo& info);
  Napi::Value release(const Napi::CallbackInfo& info);
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value restore(const Napi::CallbackInfo& info);

  SessionHandle session_;
  TunerId id_ = 0;
};

}  // namespace softprompt
