// NativeModel of src/native.ts: a session as an object of JavaScript.
#pragma once

#include "addon/napi.h"
#include "addon/session.h"

namespace softprompt {

// V8 checks the receiver of its methods: they carry the class's signature.
class Model final : public Napi::ObjectWrap<Model> {
 public:
  static Napi::Function define(Napi::Env env);
  // loadModel(options, onProgress): NativeJob<NativeModel>
  static Napi::Value load(const Napi::CallbackInfo& info);

  // createModel(options): NativeJob<NativeModel>
  static Napi::Value create(const Napi::CallbackInfo& info);

  explicit Model(const Napi::CallbackInfo& info);

 private:
  Napi::Value generate(const Napi::CallbackInfo& info);
  Napi::Value score(const Napi::CallbackInfo& info);
  Napi::Value classify(const Napi::CallbackInfo& info);
  Napi::Value gradient(const Napi::CallbackInfo& info);
  Napi::Value nearest(const Napi::CallbackInfo& info);
  Napi::Value tuner(const Napi::CallbackInfo& info);
  Napi::Value trainable(const Napi::CallbackInfo& info);
  Napi::Value trainer(const Napi::CallbackInfo& info);
  Napi::Value fingerprint(const Napi::CallbackInfo& info);
  Napi::Value saveWeights(const Napi::CallbackInfo& info);
  Napi::Value digest(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  SessionHandle session_;
};

}  // namespace softprompt
