// What an environment of Node (the main thread, or a Worker) owns: its channel, its open jobs and its sessions. Its
// threads are stopped and joined at the process's event 'exit', in the environment's cleanup hook (a Worker that is
// terminated has only that), or at the latest in exit().
#pragma once

#include <memory>
#include <unordered_map>

#include "addon/channel.h"
#include "addon/jobs.h"
#include "addon/napi.h"
#include "core/runtime/compute_thread.h"

namespace softprompt {

struct Session;
using SessionHandle = std::shared_ptr<Session>;  // see session.h

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

  // The classes of model.h, tuner.h and trainer.h, and what the next object made of them stands for: JavaScript can't
  // make any.
  Napi::FunctionReference modelClass;
  Napi::FunctionReference tunerClass;
  Napi::FunctionReference trainerClass;
  SessionHandle constructing;

 private:
  static void onCleanup(void* environment);
  static void onExit();
  void stopBeforeExit(Napi::Env env);
  void stopThreads();

  std::unordered_map<Session*, std::shared_ptr<Session>> sessions_;
  std::shared_ptr<ComputeThread> utility_;
};

}  // namespace softprompt
