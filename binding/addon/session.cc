#include "addon/session.h"

#include "addon/environment.h"
#include "core/runtime/error.h"

namespace softprompt {

Session::Session(Environment& itsEnvironment, int threads) : environment(itsEnvironment) {
  const auto end = [this] {
    tuners.clear();
    trainers.clear();
    model = {};
    environment.channel.post([this](Napi::Env env) { environment.reap(env, *this); });
  };
  thread = std::make_shared<ComputeThread>(ComputeThreadOptions{.threads = threads, .onEnd = end});
}

void Session::close() {
  thread->stop(std::make_exception_ptr(Error(
      "MODEL_DISPOSED", "The model was disposed of: load it again to go on, and await what runs before dispose()")));
}

}  // namespace softprompt
