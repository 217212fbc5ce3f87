// What an environment of Node (the main thread, or a Worker) owns: its channel, its open jobs and its sessions. It ends
// in the environment's cleanup hook, or at exit() where Node runs none: threads are stopped and joined there, before
// LibTorch's static objects go.
#pragma once

#include <memory>
#include <unordered_map>

#include "addon/channel.h"
#include "addon/jobs.h"
#include "addon/napi.h"
#include "addon/session.h"
#include "core/runtime/compute_thread.h"

namespace softprompt {

class Environment {
 public:
  // The environment's one; made on first use.
  static Environment& of(Napi::Env env);

  explicit Environment(Napi::Env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  Channel channel;  // posts from any thread
  Jobs jobs;        // JS thread

  // Settles a job. Any thread.
  void settle(JobId id, std::exception_ptr failure, MakeValue makeValue);

  // The rest is for the JS thread.

  SessionHandle openSession(int threads);
  // After the session's thread has ended.
  void reap(Napi::Env env, Session& session);
  // For work on files that needs no model.
  std::shared_ptr<ComputeThread> utilityThread();

  // The classes of model.h and tuner.h, and what the next object made of them stands for: JavaScript can't make any.
  Napi::FunctionReference modelClass;
  Napi::FunctionReference tunerClass;
  SessionHandle constructing;

 private:
  static void onCleanup(void* environment);
  static void onExit();
  void stopThreads();

  std::unordered_map<Session*, std::shared_ptr<Session>> sessions_;
  std::shared_ptr<ComputeThread> utility_;
};

}  // namespace softprompt
