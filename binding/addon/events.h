// What a job tells while it runs (steps, tokens, progress): gathered on its thread, delivered in one call a wake.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "addon/environment.h"

namespace softprompt {

template <typename Event>
class Events : public std::enable_shared_from_this<Events<Event>> {
 public:
  using Deliver = std::function<void(Napi::Env env, Jobs& jobs, JobId id, const std::vector<Event>& events)>;

  // At most `capacity` wait, where JavaScript is too busy to take them; then the oldest go.
  Events(Environment& environment, JobId id, size_t capacity, Deliver deliver)
      : environment_(environment), id_(id), capacity_(capacity), deliver_(std::move(deliver)) {}

  // On the job's thread.
  void push(Event event) { pushTogether({std::move(event)}); }

  // In one delivery, unless there are more than may wait.
  void pushTogether(std::vector<Event> events) {
    std::lock_guard lock(mutex_);
    for (Event& event : events) {
      if (waiting_.size() == capacity_) waiting_.pop_front();
      waiting_.push_back(std::move(event));
    }
    if (std::exchange(posted_, true)) return;
    environment_.channel.post([self = this->shared_from_this()](Napi::Env env) { self->flush(env); });
  }

 private:
  void flush(Napi::Env env) {
    std::vector<Event> events;
    {
      std::lock_guard lock(mutex_);
      events.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.end()));
      waiting_.clear();
      posted_ = false;
    }
    deliver_(env, environment_.jobs, id_, events);
  }

  Environment& environment_;
  const JobId id_;
  const size_t capacity_;
  const Deliver deliver_;

  std::mutex mutex_;  // guards both below
  std::deque<Event> waiting_;
  bool posted_ = false;
};

}  // namespace softprompt
