// What NativeTuner and NativeTrainer of src/native.ts have in common: an object of JavaScript that stands for a run of
// a model's session, where the run itself lives, on the compute thread.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "addon/environment.h"
#include "addon/napi.h"
#include "addon/options.h"
#include "addon/session.h"
#include "addon/values.h"
#include "addon/work.h"

namespace softprompt {

// Object: the class derived from this. Run: a Tuner or a ModelTrainer, of which the session has `kRuns`; `kClass` is
// the environment's class of the objects.
template <typename Object, typename Run, Runs<Run> Session::*kRuns, Napi::FunctionReference Environment::*kClass>
class RunObject : public Napi::ObjectWrap<Object> {
 public:
  // JS thread.
  static Napi::Object make(Napi::Env env, const SessionHandle& session, RunId id) {
    Environment& environment = Environment::of(env);
    environment.constructing = session;
    Napi::Object object = (environment.*kClass).New({});
    Object::Unwrap(object)->id_ = id;
    return object;
  }

  explicit RunObject(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Object>(info), session_(std::exchange(Environment::of(info.Env()).constructing, nullptr)) {
    expect(info.Env(), session_ != nullptr, "runs to be made by a model");
  }

  // Collected: no job of it is open, since a job keeps it.
  ~RunObject() override {
    if (!session_) return;
    auto drop = [&session = *session_, id = id_](YieldPoint&) {
      (session.*kRuns).erase(id);
      return false;
    };
    try {
      session_->thread->submit(
          std::make_shared<FunctionTask>(TaskKind::kWork, std::move(drop), [](std::exception_ptr) {}));
    } catch (...) {  // the thread has ended, and the run with it; or its queue is full, and the run ends with the model
    }
  }

 protected:
  using Methods = std::vector<typename Napi::ObjectWrap<Object>::PropertyDescriptor>;

  // The class, of these methods and those that all runs have.
  static Napi::Function defineRun(Napi::Env env, const char* name, Methods methods) {
    methods.push_back(RunObject::InstanceMethod("claim", &RunObject::claim));
    methods.push_back(RunObject::InstanceMethod("release", &RunObject::release));
    methods.push_back(RunObject::InstanceMethod("save", &RunObject::save));
    methods.push_back(RunObject::InstanceMethod("restore", &RunObject::restore));
    return RunObject::DefineClass(env, name, methods);
  }

  // Gives the run, on the compute thread.
  auto held() const {
    return [&session = *session_, id = id_]() -> Run& { return *(session.*kRuns).at(id); };
  }
  const std::shared_ptr<ComputeThread>& thread() const { return session_->thread; }

  // The job of `work(run, yieldPoint)`.
  template <typename Work, typename ToJs>
  Napi::Value start(const Napi::CallbackInfo& info, Work work, ToJs toJs) {
    auto job = [run = held(), work = std::move(work)](YieldPoint& yieldPoint) { return work(run(), yieldPoint); };
    return startJob({info.Env(), this->Value(), {}}, thread(), TaskKind::kWork, std::move(job), std::move(toJs));
  }
  // The job of `change(run)`, which has no result.
  template <typename Change>
  Napi::Value start(const Napi::CallbackInfo& info, Change change) {
    auto work = [change = std::move(change)](Run& run, YieldPoint&) {
      change(run);
      return Nothing{};
    };
    return start(info, std::move(work), toUndefined);
  }

 private:
  Napi::Value claim(const Napi::CallbackInfo& info) {
    return start(info, [path = text(info[0], "path")](Run& run) { run.claim(path); });
  }
  Napi::Value release(const Napi::CallbackInfo& info) {
    return start(info, [](Run& run) { run.release(); });
  }
  Napi::Value save(const Napi::CallbackInfo& info) {
    return start(info,
                 [path = text(info[0], "path"), notes = text(info[1], "notes")](Run& run) { run.save(path, notes); });
  }
  Napi::Value restore(const Napi::CallbackInfo& info) {
    auto work = [path = text(info[0], "path")](Run& run, YieldPoint&) { return run.restore(path); };
    return start(info, std::move(work), toText);
  }

  SessionHandle session_;
  RunId id_ = 0;
};

}  // namespace softprompt
