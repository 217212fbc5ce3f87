// What NativeModel does for the training of all weights.
#include <string>
#include <utility>

#include "addon/environment.h"
#include "addon/model.h"
#include "addon/model_info.h"
#include "addon/options.h"
#include "addon/trainer.h"
#include "addon/values.h"
#include "addon/work.h"
#include "core/t5/trainable_model.h"

namespace softprompt {

namespace {

// `make` gives a new model, which a session of `threads` threads gets.
template <typename Make>
Napi::Value startModel(const Caller& caller, const std::shared_ptr<ComputeThread>& thread, const SessionHandle& made,
                       Make make) {
  auto work = [make = std::move(make), &session = *made](YieldPoint& yieldPoint) {
    session.model = make(yieldPoint);
    return infoOf(session);
  };
  const auto toJs = [made](Napi::Env env, const ModelInfo& info) { return modelObject(env, made, info); };
  return startJob(caller, thread, TaskKind::kWork, std::move(work), toJs);
}

SessionHandle newSession(const Napi::Object& options) {
  return Environment::of(options.Env()).openSession(static_cast<int>(numberField(options, "threads")));
}

}  // namespace

Napi::Value Model::create(const Napi::CallbackInfo& info) {
  const Napi::Object given = info[0].ToObject();
  const SessionHandle made = newSession(given);
  auto make = [configJson = textField(given, "configJson"), seed = static_cast<uint64_t>(numberField(given, "seed")),
               options = trainableOptions(given)](YieldPoint& yieldPoint) {
    return createModel(configJson, seed, options, yieldPoint);
  };
  return startModel({info.Env(), {}, {}}, made->thread, made, std::move(make));
}

// Copied on this model's thread; the new session's thread has no task before its object is there.
Napi::Value Model::trainable(const Napi::CallbackInfo& info) {
  const Napi::Object given = info[0].ToObject();
  auto make = [options = trainableOptions(given), &source = *session_](YieldPoint& yieldPoint) {
    return trainableCopy(source.model, options, yieldPoint);
  };
  return startModel({info.Env(), Value(), {}}, session_->thread, newSession(given), std::move(make));
}

Napi::Value Model::trainer(const Napi::CallbackInfo& info) {
  auto work = [options = modelTrainerOptions(info[0].ToObject()), &session = *session_](YieldPoint& yieldPoint) {
    auto trainer = std::make_unique<ModelTrainer>(session.model, options, yieldPoint);
    const RunId id = ++session.lastRun;
    session.trainers[id] = std::move(trainer);
    return id;
  };
  const auto toJs = [session = session_](Napi::Env env, RunId id) -> Napi::Value {
    return TrainerObject::make(env, session, id);
  };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toJs);
}

Napi::Value Model::fingerprint(const Napi::CallbackInfo& info) {
  auto work = [&session = *session_](YieldPoint& yieldPoint) { return fingerprintOf(session.model, yieldPoint); };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toText);
}

Napi::Value Model::saveWeights(const Napi::CallbackInfo& info) {
  auto work = [path = text(info[0], "path"), dtype = text(info[1], "dtype"),
               &session = *session_](YieldPoint& yieldPoint) {
    softprompt::saveWeights(session.model, path, dtype, yieldPoint);
    return Nothing{};
  };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toUndefined);
}

}  // namespace softprompt
