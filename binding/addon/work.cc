#include "addon/work.h"

namespace softprompt {

namespace {

Napi::Function cancelFunction(Napi::Env env, std::weak_ptr<ComputeThread> thread, std::weak_ptr<Task> task) {
  return Napi::Function::New(env, [thread, task](const Napi::CallbackInfo&) {
    const auto itsThread = thread.lock();
    const auto itsTask = task.lock();
    if (itsThread && itsTask) itsThread->cancel(*itsTask);
  });
}

}  // namespace

Napi::Object launch(Napi::Env env, JobId id, const std::shared_ptr<ComputeThread>& thread, std::shared_ptr<Task> task) {
  Environment& environment = Environment::of(env);
  Napi::Object job = Napi::Object::New(env);
  job.Set("promise", environment.jobs.promise(id));
  job.Set("cancel", cancelFunction(env, thread, task));
  try {
    thread->submit(std::move(task));
  } catch (...) {
    environment.jobs.settle(env, id, std::current_exception(), {});
  }
  return job;
}

}  // namespace softprompt
