#include "addon/trainer.h"

#include <string>
#include <utility>

#include "addon/environment.h"
#include "addon/options.h"
#include "addon/values.h"
#include "addon/work.h"

namespace softprompt {

namespace {

Napi::Value stepObject(Napi::Env env, const TrainStep& step) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("step", static_cast<double>(step.step));
  object.Set("loss", step.loss);
  object.Set("gradientNorm", step.gradientNorm);
  object.Set("learningRate", step.learningRate);
  object.Set("examples", static_cast<double>(step.examples));
  object.Set("inputTokens", static_cast<double>(step.inputTokens));
  object.Set("targetTokens", static_cast<double>(step.targetTokens));
  if (!step.diverged.empty()) object.Set("diverged", step.diverged);
  return object;
}

Napi::Value lossObject(Napi::Env env, const TrainLoss& loss) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("negativeLogProb", loss.negativeLogProb);
  object.Set("targetTokens", static_cast<double>(loss.targetTokens));
  return object;
}

}  // namespace

Napi::Function TrainerObject::define(Napi::Env env) {
  return DefineClass(env, "NativeTrainer",
                     {
                         InstanceMethod<&TrainerObject::step>("step"),
                         InstanceMethod<&TrainerObject::loss>("loss"),
                         InstanceMethod<&TrainerObject::keep>("keep"),
                         InstanceMethod<&TrainerObject::recall>("recall"),
                         InstanceMethod<&TrainerObject::claim>("claim"),
                         InstanceMethod<&TrainerObject::release>("release"),
                         InstanceMethod<&TrainerObject::save>("save"),
                         InstanceMethod<&TrainerObject::restore>("restore"),
                     });
}

Napi::Object TrainerObject::make(Napi::Env env, const SessionHandle& session, TrainerId id) {
  Environment& environment = Environment::of(env);
  environment.constructing = session;
  Napi::Object object = environment.trainerClass.New({});
  Unwrap(object)->id_ = id;
  return object;
}

TrainerObject::TrainerObject(const Napi::CallbackInfo& info)
    : ObjectWrap(info), session_(std::exchange(Environment::of(info.Env()).constructing, nullptr)) {
  expect(info.Env(), session_ != nullptr, "trainers to be made by a model's trainer()");
}

// Collected: no job of it is open, since a job keeps it.
TrainerObject::~TrainerObject() {
  if (!session_) return;
  auto drop = [&session = *session_, id = id_](YieldPoint&) {
    session.trainers.erase(id);
    return false;
  };
  try {
    session_->thread->submit(
        std::make_shared<FunctionTask>(TaskKind::kWork, std::move(drop), [](std::exception_ptr) {}));
  } catch (...) {  // the thread has ended, and the trainer with it; or its queue is full, and it ends with the model
  }
}

template <typename Work, typename ToJs>
Napi::Value TrainerObject::start(const Napi::CallbackInfo& info, Work work, ToJs toJs) {
  auto run = [&session = *session_, id = id_, work = std::move(work)](YieldPoint& yieldPoint) {
    return work(*session.trainers.at(id), yieldPoint);
  };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(run), std::move(toJs));
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
  const auto work = [](ModelTrainer& trainer, YieldPoint&) {
    trainer.keep();
    return Nothing{};
  };
  return start(info, work, toUndefined);
}

Napi::Value TrainerObject::recall(const Napi::CallbackInfo& info) {
  const auto work = [](ModelTrainer& trainer, YieldPoint&) {
    trainer.recall();
    return Nothing{};
  };
  return start(info, work, toUndefined);
}

Napi::Value TrainerObject::claim(const Napi::CallbackInfo& info) {
  auto work = [path = text(info[0], "path")](ModelTrainer& trainer, YieldPoint&) {
    trainer.claim(path);
    return Nothing{};
  };
  return start(info, std::move(work), toUndefined);
}

Napi::Value TrainerObject::release(const Napi::CallbackInfo& info) {
  const auto work = [](ModelTrainer& trainer, YieldPoint&) {
    trainer.release();
    return Nothing{};
  };
  return start(info, work, toUndefined);
}

Napi::Value TrainerObject::save(const Napi::CallbackInfo& info) {
  auto work = [path = text(info[0], "path"), notes = text(info[1], "notes")](ModelTrainer& trainer, YieldPoint&) {
    trainer.save(path, notes);
    return Nothing{};
  };
  return start(info, std::move(work), toUndefined);
}

Napi::Value TrainerObject::restore(const Napi::CallbackInfo& info) {
  auto work = [path = text(info[0], "path")](ModelTrainer& trainer, YieldPoint&) { return trainer.restore(path); };
  const auto toJs = [](Napi::Env env, const std::string& notes) -> Napi::Value {
    return Napi::String::New(env, notes);
  };
  return start(info, std::move(work), toJs);
}

}  // namespace softprompt
