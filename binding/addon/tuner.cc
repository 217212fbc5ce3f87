#include "addon/tuner.h"

#include <algorithm>
#include <string>
#include <utility>

#include "addon/environment.h"
#include "addon/events.h"
#include "addon/options.h"
#include "addon/values.h"
#include "addon/work.h"

namespace softprompt {

namespace {

// Steps that may wait for JavaScript: a run of many small steps against an event loop that is blocked.
constexpr size_t kMaxSteps = 65536;

Napi::Object stepObject(Napi::Env env, const StepResult& step) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("run", static_cast<double>(step.run));
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

void deliverSteps(Napi::Env env, Jobs& jobs, JobId id, const std::vector<StepResult>& steps) {
  Napi::Array array = Napi::Array::New(env, steps.size());
  for (uint32_t i = 0; i < steps.size(); ++i) array.Set(i, stepObject(env, steps[i]));
  jobs.call(env, id, {array});
}

// An array of { run, rateFactor }.
std::vector<ActiveRun> activeRuns(const Napi::Value& value) {
  expect(value.Env(), value.IsArray() && value.As<Napi::Array>().Length() > 0, "the runs as an array with an entry");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<ActiveRun> runs;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Object run = array.Get(i).ToObject();
    runs.push_back({static_cast<int64_t>(numberField(run, "run")), numberField(run, "rateFactor")});
  }
  return runs;
}

int64_t runIndex(const Napi::Value& value) {
  expect(value.Env(), value.IsNumber(), "a run's index");
  return value.As<Napi::Number>().Int64Value();
}

bool isDiverged(const StepResult& step) {
  return !step.diverged.empty();
}

}  // namespace

Napi::Function TunerObject::define(Napi::Env env) {
  return DefineClass(env, "NativeTuner",
                     {
                         InstanceMethod<&TunerObject::run>("run"),
                         InstanceMethod<&TunerObject::prompt>("prompt"),
                         InstanceMethod<&TunerObject::reset>("reset"),
                         InstanceMethod<&TunerObject::claim>("claim"),
                         InstanceMethod<&TunerObject::release>("release"),
                         InstanceMethod<&TunerObject::save>("save"),
                         InstanceMethod<&TunerObject::restore>("restore"),
                     });
}

Napi::Object TunerObject::make(Napi::Env env, const SessionHandle& session, TunerId id) {
  Environment& environment = Environment::of(env);
  environment.constructing = session;
  Napi::Object object = environment.tunerClass.New({});
  Unwrap(object)->id_ = id;
  return object;
}

TunerObject::TunerObject(const Napi::CallbackInfo& info)
    : ObjectWrap(info), session_(std::exchange(Environment::of(info.Env()).constructing, nullptr)) {
  expect(info.Env(), session_ != nullptr, "tuners to be made by a model's tuner()");
}

// Collected: no job of it is open, since a job keeps it.
TunerObject::~TunerObject() {
  if (!session_) return;
  auto drop = [&session = *session_, id = id_](YieldPoint&) {
    session.tuners.erase(id);
    return false;
  };
  try {
    session_->thread->submit(
        std::make_shared<FunctionTask>(TaskKind::kWork, std::move(drop), [](std::exception_ptr) {}));
  } catch (...) {  // the thread has ended, and the run with it; or its queue is full, and the run ends with the model
  }
}

Napi::Value TunerObject::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment& environment = Environment::of(env);
  expect(env, info[0].IsNumber(), "a number of steps");
  expect(env, info[2].IsFunction(), "onSteps as a function");
  const int64_t steps = info[0].As<Napi::Number>().Int64Value();

  const JobId id = environment.jobs.open(env, Value(), info[2].As<Napi::Function>());
  const auto events = std::make_shared<Events<StepResult>>(environment, id, kMaxSteps, deliverSteps);
  auto step = [&session = *session_, tuner = id_, events, runs = activeRuns(info[1]),
               left = steps](YieldPoint& yieldPoint) mutable {
    if (left <= 0) return false;
    const std::vector<StepResult> results = session.tuners.at(tuner)->step(runs, yieldPoint);
    events->pushTogether(results);
    return --left > 0 && std::none_of(results.begin(), results.end(), isDiverged);
  };
  auto onSettled = [&environment, id](std::exception_ptr failure) {
    environment.settle(id, std::move(failure), [](Napi::Env e) { return e.Undefined(); });
  };
  return launch(env, id, session_->thread,
                std::make_shared<FunctionTask>(TaskKind::kWork, std::move(step), std::move(onSettled)));
}

Napi::Value TunerObject::prompt(const Napi::CallbackInfo& info) {
  auto work = [&session = *session_, id = id_, run = runIndex(info[0])](YieldPoint&) {
    return promptNumbers(session.tuners.at(id)->prompt(run));
  };
  const auto toJs = [](Napi::Env env, const PromptNumbers& prompt) -> Napi::Value { return promptObject(env, prompt); };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toJs);
}

Napi::Value TunerObject::reset(const Napi::CallbackInfo& info) {
  auto work = [&session = *session_, id = id_, run = runIndex(info[0]), prompt = promptRows(info[1])](YieldPoint&) {
    session.tuners.at(id)->reset(run, prompt);
    return Nothing{};
  };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toUndefined);
}

Napi::Value TunerObject::claim(const Napi::CallbackInfo& info) {
  auto work = [&session = *session_, id = id_, path = text(info[0], "path")](YieldPoint&) {
    session.tuners.at(id)->claim(path);
    return Nothing{};
  };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toUndefined);
}

Napi::Value TunerObject::release(const Napi::CallbackInfo& info) {
  auto work = [&session = *session_, id = id_](YieldPoint&) {
    session.tuners.at(id)->release();
    return Nothing{};
  };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toUndefined);
}

Napi::Value TunerObject::save(const Napi::CallbackInfo& info) {
  auto work = [&session = *session_, id = id_, path = text(info[0], "path"),
               notes = text(info[1], "notes")](YieldPoint&) {
    session.tuners.at(id)->save(path, notes);
    return Nothing{};
  };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toUndefined);
}

Napi::Value TunerObject::restore(const Napi::CallbackInfo& info) {
  auto work = [&session = *session_, id = id_, path = text(info[0], "path")](YieldPoint&) {
    return session.tuners.at(id)->restore(path);
  };
  const auto toJs = [](Napi::Env env, const std::string& notes) -> Napi::Value {
    return Napi::String::New(env, notes);
  };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toJs);
}

}  // namespace softprompt
