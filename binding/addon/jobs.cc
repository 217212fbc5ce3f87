#include "addon/jobs.h"

#include <utility>

#include "addon/errors.h"

namespace softprompt {

JobId Jobs::open(Napi::Env env, Napi::Object owner, Napi::Function callback) {
  Job job{Napi::Promise::Deferred::New(env), {}, {}};
  if (!owner.IsEmpty()) job.owner = Napi::Persistent(owner);
  if (!callback.IsEmpty()) job.callback = Napi::Persistent(callback);
  jobs_.emplace(++last_, std::move(job));
  channel_.ref();
  return last_;
}

Napi::Promise Jobs::promise(JobId id) const {
  return jobs_.at(id).deferred.Promise();
}

void Jobs::call(Napi::Env env, JobId id, std::initializer_list<napi_value> arguments) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.callback.IsEmpty()) return;
  callUser(env, found->second.callback.Value(), arguments);
}

void Jobs::settle(Napi::Env env, JobId id, const std::exception_ptr& failure, const MakeValue& makeValue) {
  auto node = jobs_.extract(id);
  if (node.empty()) return;
  channel_.unref();
  const Napi::Promise::Deferred& deferred = node.mapped().deferred;
  if (failure) {
    deferred.Reject(toJsError(env, failure).Value());
  } else {
    deferred.Resolve(makeValue(env));
  }
}

}  // namespace softprompt
