#include "addon/trainer.h"

namespace softprompt {

namespace {

Napi::Value lossObject(Napi::Env env, const TrainLoss& loss) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("negativeLogProb", loss.negativeLogProb);
  object.Set("targetTokens", static_cast<double>(loss.targetTokens));
  return object;
}

}  // namespace

Napi::Function TrainerObject::define(Napi::Env env) {
  return defineRun(env, "NativeTrainer",
                   {
                       InstanceMethod<&TrainerObject::step>("step"),
                       InstanceMethod<&TrainerObject::loss>("loss"),
                       InstanceMethod<&TrainerObject::keep>("keep"),
                       InstanceMethod<&TrainerObject::recall>("recall"),
                       InstanceMethod<&TrainerObject::setBack>("setBack"),
                       InstanceMethod<&TrainerObject::exchange>("exchange"),
                   });
}

Napi::Value TrainerObject::step(const Napi::CallbackInfo& info) {
  expect(info.Env(), info[2].IsNumber(), "a rate's factor");
  auto work = [inputs = tokenRows(info[0]), targets = tokenRows(info[1]),
               rateFactor = info[2].As<Napi::Number>().DoubleValue()](ModelTrainer& trainer, YieldPoint& yieldPoint) {
    return trainer.step(inputs, targets, rateFactor, yieldPoint);
  };
  return start(info, std::move(work), stepObject);
}

Napi::Value TrainerObject::loss(const Napi::CallbackInfo& info) {
  auto work = [inputs = tokenRows(info[0]), targets = tokenRows(info[1])](
                  ModelTrainer& trainer, YieldPoint& yieldPoint) { return trainer.loss(inputs, targets, yieldPoint); };
  return start(info, std::move(work), lossObject);
}

Napi::Value TrainerObject::keep(const Napi::CallbackInfo& info) {
  return start(info, [](ModelTrainer& trainer) { trainer.keep(); });
}

Napi::Value TrainerObject::recall(const Napi::CallbackInfo& info) {
  return start(info, [](ModelTrainer& trainer) { trainer.recall(); });
}

Napi::Value TrainerObject::setBack(const Napi::CallbackInfo& info) {
  return start(info, [](ModelTrainer& trainer) { trainer.setBack(); });
}

Napi::Value TrainerObject::exchange(const Napi::CallbackInfo& info) {
  return start(info, [](ModelTrainer& trainer) { trainer.exchange(); });
}

}  // namespace softprompt
