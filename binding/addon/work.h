// A call of JavaScript becomes a task of a compute thread and the NativeJob { promise, cancel } that stands for it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "addon/environment.h"
#include "addon/napi.h"
#include "core/runtime/compute_thread.h"

namespace softprompt {

// Who calls: `owner` (may be empty) is kept as long as the job, `callback` (may be empty) is for its events.
struct Caller {
  Napi::Env env;
  Napi::Object owner;
  Napi::Function callback;
};

// Submits `task`, which settles job `id`. A thread that takes no more rejects the promise.
Napi::Object launch(Napi::Env env, JobId id, const std::shared_ptr<ComputeThread>& thread, std::shared_ptr<Task> task);

// The job of many steps on `thread`: `step(yieldPoint, result)` runs there until it gives false, `toJs` makes the value
// of the result.
template <typename Result, typename Step, typename ToJs>
Napi::Object startSteps(const Caller& caller, const std::shared_ptr<ComputeThread>& thread, TaskKind kind, Step step,
                        ToJs toJs) {
  Environment& environment = Environment::of(caller.env);
  const JobId id = environment.jobs.open(caller.env, caller.owner, caller.callback);
  auto result = std::make_shared<Result>();
  auto one = [step = std::move(step), result](YieldPoint& yieldPoint) mutable { return step(yieldPoint, *result); };
  auto onSettled = [&environment, id, result, toJs = std::move(toJs)](std::exception_ptr failure) {
    environment.settle(id, std::move(failure),
                       [result, toJs](Napi::Env env) -> Napi::Value { return toJs(env, *result); });
  };
  return launch(caller.env, id, thread, std::make_shared<FunctionTask>(kind, std::move(one), std::move(onSettled)));
}

// The job of one function.
template <typename Work, typename ToJs>
Napi::Object startJob(const Caller& caller, const std::shared_ptr<ComputeThread>& thread, TaskKind kind, Work work,
                      ToJs toJs) {
  using Result = decltype(work(std::declval<YieldPoint&>()));
  auto step = [work = std::move(work)](YieldPoint& yieldPoint, Result& result) mutable {
    result = work(yieldPoint);
    return false;
  };
  return startSteps<Result>(caller, thread, kind, std::move(step), std::move(toJs));
}

// The result of work that has none.
struct Nothing {};
inline Napi::Value toUndefined(Napi::Env env, const Nothing&) {
  return env.Undefined();
}
inline Napi::Value toText(Napi::Env env, const std::string& text) {
  return Napi::String::New(env, text);
}

}  // namespace softprompt
