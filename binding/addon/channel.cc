#include "addon/channel.h"

#include <utility>

#include "addon/errors.h"

namespace softprompt {

Channel::Channel(Napi::Env env) : env_(env) {
  const Napi::String name = Napi::String::New(env, "softprompt");
  const napi_status status =
      napi_create_threadsafe_function(env, nullptr, nullptr, name, /*max_queue_size=*/0, /*initial_thread_count=*/1,
                                      nullptr, nullptr, this, onWake, &wake_);
  NAPI_THROW_IF_FAILED_VOID(env, status);
  napi_unref_threadsafe_function(env, wake_);
}

void Channel::post(Message message) {
  std::lock_guard lock(mutex_);  // held over the call, so that close() can't release it in between
  if (!wake_) return;
  messages_.push_back(std::move(message));
  if (woken_) return;
  woken_ = napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking) == napi_ok;
  if (!woken_) wake_ = nullptr;
}

void Channel::ref() {
  if (holders_++ == 0 && wake_) napi_ref_threadsafe_function(env_, wake_);
}

void Channel::unref() {
  if (--holders_ == 0 && wake_) napi_unref_threadsafe_function(env_, wake_);
}

void Channel::close() {
  std::deque<Message> dropped;
  std::lock_guard lock(mutex_);
  dropped.swap(messages_);
  if (wake_) napi_release_threadsafe_function(std::exchange(wake_, nullptr), napi_tsfn_abort);
}

void Channel::abandon() {
  std::lock_guard lock(mutex_);
  wake_ = nullptr;
}

// Without an environment the function is being destroyed, and the channel may be gone already.
void Channel::onWake(napi_env env, napi_value, void* context, void*) {
  if (env) static_cast<Channel*>(context)->drain(env);
}

void Channel::drain(Napi::Env env) {
  std::deque<Message> messages;
  {
    std::lock_guard lock(mutex_);
    if (!wake_) return;
    messages.swap(messages_);
    woken_ = false;
  }
  for (Message& message : messages) {
    Napi::HandleScope scope(env);
    try {
      message(env);
    } catch (const Napi::Error& error) {
      reportUncaught(env, error.Value());
    }
  }
}

}  // namespace softprompt
