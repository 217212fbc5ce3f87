#include "addon/tuner.h"

#include <algorithm>
#include <vector>

#include "addon/events.h"

namespace softprompt {

namespace {

// Steps that may wait for JavaScript: a run of many small steps against an event loop that is blocked.
constexpr size_t kMaxSteps = 65536;

void deliverSteps(Napi::Env env, Jobs& jobs, JobId id, const std::vector<StepResult>& steps) {
  Napi::Array array = Napi::Array::New(env, steps.size());
  for (uint32_t i = 0; i < steps.size(); ++i) {
    Napi::Object step = stepObject(env, steps[i]);
    step.Set("run", static_cast<double>(steps[i].run));
    array.Set(i, step);
  }
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
  return defineRun(env, "NativeTuner",
                   {
                       InstanceMethod<&TunerObject::run>("run"),
                       InstanceMethod<&TunerObject::prompt>("prompt"),
                       InstanceMethod<&TunerObject::reset>("reset"),
                   });
}

Napi::Value TunerObject::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment& environment = Environment::of(env);
  expect(env, info[0].IsNumber(), "a number of steps");
  expect(env, info[2].IsFunction(), "onSteps as a function");
  const int64_t steps = info[0].As<Napi::Number>().Int64Value();

  const JobId id = environment.jobs.open(env, Value(), info[2].As<Napi::Function>());
  const auto events = std::make_shared<Events<StepResult>>(environment, id, kMaxSteps, deliverSteps);
  auto step = [tuner = held(), events, runs = activeRuns(info[1]), left = steps](YieldPoint& yieldPoint) mutable {
    if (left <= 0) return false;
    const std::vector<StepResult> results = tuner().step(runs, yieldPoint);
    events->pushTogether(results);
    return --left > 0 && std::none_of(results.begin(), results.end(), isDiverged);
  };
  auto onSettled = [&environment, id](std::exception_ptr failure) {
    environment.settle(id, std::move(failure), [](Napi::Env e) { return e.Undefined(); });
  };
  return launch(env, id, thread(),
                std::make_shared<FunctionTask>(TaskKind::kWork, std::move(step), std::move(onSettled)));
}

Napi::Value TunerObject::prompt(const Napi::CallbackInfo& info) {
  auto work = [run = runIndex(info[0])](Tuner& tuner, YieldPoint&) { return promptNumbers(tuner.prompt(run)); };
  return start(info, std::move(work), promptObject);
}

Napi::Value TunerObject::reset(const Napi::CallbackInfo& info) {
  return start(info,
               [run = runIndex(info[0]), prompt = promptRows(info[1])](Tuner& tuner) { tuner.reset(run, prompt); });
}

}  // namespace softprompt
