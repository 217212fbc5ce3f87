// The way from other threads to JavaScript, one an environment (main thread or Worker), and the one place that knows
// the rules of thread-safe functions:
//   1. It is unreferenced at once. Only a promise that is still open keeps the event loop alive (ref and unref).
//   2. It is released in the environment's cleanup hook, which was added after it was made and so runs before Node's
//   own
//      hook destroys it; and it is never touched after that.
//   3. A failed call means that it is closing: it is dead from then on.
//   4. No call is made before the last one was answered: messages wait in a queue of ours, and one wake drains it.
#pragma once

#include <deque>
#include <functional>
#include <mutex>

#include "addon/napi.h"

namespace softprompt {

class Channel {
 public:
  // Runs on the JS thread. It may be dropped unrun, on any thread: it holds no handles of JavaScript.
  using Message = std::function<void(Napi::Env)>;

  explicit Channel(Napi::Env env);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Any thread. Messages run in the order of their posting; none once the channel is closed.
  void post(Message message);

  // JS thread. While any holder is left, the event loop stays alive.
  void ref();
  void unref();

  // JS thread, in the environment's cleanup hook: drops what waits and releases the thread-safe function.
  void close();
  // When the process exits without cleanup hooks: like close(), but Node-API is not called any more.
  void abandon();

 private:
  static void onWake(napi_env env, napi_value, void* context, void*);
  void drain(Napi::Env env);

  napi_env env_;
  int holders_ = 0;

  std::mutex mutex_;                         // guards all below
  napi_threadsafe_function wake_ = nullptr;  // null: dead
  std::deque<Message> messages_;
  bool woken_ = false;  // a wake is on its way
};

}  // namespace softprompt
