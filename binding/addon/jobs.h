// The calls of JavaScript that wait for other threads: promise and callback, known to those threads by number alone,
// because handles of JavaScript may only be touched, and dropped, on the JS thread. All methods are for that thread.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <unordered_map>

#include "addon/channel.h"
#include "addon/napi.h"

namespace softprompt {

using JobId = uint64_t;

// Makes a job's value from what its thread left, on the JS thread.
using MakeValue = std::function<Napi::Value(Napi::Env)>;

class Jobs {
 public:
  explicit Jobs(Channel& channel) : channel_(channel) {}

  // `owner` (a model, a tuner; may be empty) and `callback` (may be empty) live as long as the job. So does the loop.
  JobId open(Napi::Env env, Napi::Object owner, Napi::Function callback);
  Napi::Promise promise(JobId id) const;
  // Nothing, where the job is settled.
  void call(Napi::Env env, JobId id, std::initializer_list<napi_value> arguments);
  void settle(Napi::Env env, JobId id, const std::exception_ptr& failure, const MakeValue& makeValue);
  void clear() { jobs_.clear(); }

 private:
  struct Job {
    Napi::Promise::Deferred deferred;
    Napi::ObjectReference owner;
    Napi::FunctionReference callback;
  };

  Channel& channel_;
  JobId last_ = 0;
  std::unordered_map<JobId, Job> jobs_;
};

}  // namespace softprompt
