#include "addon/environment.h"

#include <cstdlib>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "addon/session.h"
#include "core/runtime/error.h"

namespace softprompt {

namespace {

// The environments whose threads run. Never destroyed: exit() looks here.
struct Registry {
  std::mutex mutex;
  std::unordered_set<Environment*> open;
};
Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

}  // namespace

Environment& Environment::of(Napi::Env env) {
  if (auto* existing = env.GetInstanceData<Environment>()) return *existing;
  auto* made = new Environment(env);
  env.SetInstanceData(made);
  return *made;
}

Environment::Environment(Napi::Env env) : channel(env), jobs(channel) {
  napi_add_env_cleanup_hook(env, onCleanup, this);  // after the channel was made: see channel.h
  stopBeforeExit(env);
  std::lock_guard lock(registry().mutex);
  registry().open.insert(this);
  static const int registered = std::atexit(onExit);
  static_cast<void>(registered);
}

// process.exit() and an uncaught exception end the main thread's environment without its cleanup hooks, but with this
// event. exit() itself would be too late: static objects that LibTorch made while it worked go before any handler that
// was added earlier. process.reallyExit() skips the event; process.exit() calls it by its name, so that it may be
// wrapped.
void Environment::stopBeforeExit(Napi::Env env) {
  const Napi::Object process = env.Global().Get("process").As<Napi::Object>();
  const auto stop = Napi::Function::New(env, [this](const Napi::CallbackInfo&) { stopThreads(); });
  process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), stop});

  const Napi::Value exits = process.Get("reallyExit");
  if (!exits.IsFunction()) return;
  const auto original = std::make_shared<Napi::FunctionReference>(Napi::Persistent(exits.As<Napi::Function>()));
  original->SuppressDestruct();
  process.Set("reallyExit", Napi::Function::New(env, [this, original](const Napi::CallbackInfo& info) {
                stopThreads();
                const Napi::Value code = info.Length() > 0 ? info[0] : info.Env().Undefined();
                return original->Call(info.This(), {code});
              }));
}

Environment::~Environment() {
  stopThreads();
}

void Environment::settle(JobId id, std::exception_ptr failure, MakeValue makeValue) {
  channel.post([this, id, failure = std::move(failure), makeValue = std::move(makeValue)](Napi::Env env) {
    jobs.settle(env, id, failure, makeValue);
  });
}

SessionHandle Environment::openSession(int threads) {
  const auto session = std::make_shared<Session>(*this, threads);
  sessions_.emplace(session.get(), session);
  return {session.get(), [session](Session*) { session->close(); }};
}

void Environment::reap(Napi::Env env, Session& session) {
  session.thread->join();
  session.ended = true;
  for (const JobId id : std::exchange(session.disposals, {})) {
    jobs.settle(env, id, nullptr, [](Napi::Env e) { return e.Undefined(); });
  }
  sessions_.erase(&session);
}

std::shared_ptr<ComputeThread> Environment::utilityThread() {
  if (!utility_) utility_ = std::make_shared<ComputeThread>(ComputeThreadOptions{});
  return utility_;
}

void Environment::stopThreads() {
  const auto reason = std::make_exception_ptr(Cancelled());
  for (auto& [session, kept] : sessions_) session->thread->stop(reason);
  if (utility_) utility_->stop(reason);
  for (auto& [session, kept] : sessions_) session->thread->join();
  if (utility_) utility_->join();
}

void Environment::onCleanup(void* environment) {
  auto* self = static_cast<Environment*>(environment);
  {
    std::lock_guard lock(registry().mutex);
    registry().open.erase(self);
  }
  self->channel.close();
  self->stopThreads();
  self->jobs.clear();
}

// For other native code that calls exit(): nothing earlier can be had, and it may be too late (see above).
void Environment::onExit() {
  std::lock_guard lock(registry().mutex);
  for (Environment* environment : registry().open) {
    environment->channel.abandon();
    environment->stopThreads();
  }
}

}  // namespace softprompt
