#include "core/runtime/compute_thread.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <utility>

#include "core/runtime/error.h"

namespace softprompt {

namespace {

// LibTorch sets a thread's share of OpenMP lazily, from whatever any thread asked for last. So that lazy step comes
// first (once for LibTorch's own flag, once for the one inlined here), then our own number.
int setThreads(int threads) {
  at::internal::lazy_init_num_threads();
  at::get_num_threads();
  if (threads > 0) at::set_num_threads(threads);
  return at::get_num_threads();
}

}  // namespace

void Task::settle(std::exception_ptr failure) {
  if (settled_.exchange(true)) return;
  onSettled_(std::move(failure));
  onSettled_ = nullptr;
}

ComputeThread::ComputeThread(ComputeThreadOptions options)
    : options_(std::move(options)), thread_([this] { loop(); }) {}

ComputeThread::~ComputeThread() {
  stop(std::make_exception_ptr(Cancelled()));
  join();
}

void ComputeThread::submit(std::shared_ptr<Task> task) {
  std::lock_guard lock(mutex_);
  if (stopReason_) std::rethrow_exception(stopReason_);
  if (requests_.size() + work_.size() >= options_.capacity) {
    throw Error("MODEL_BUSY", std::to_string(options_.capacity) +
                                  " calls already wait for this model: await some of them before making more");
  }
  (task->kind() == TaskKind::kRequest ? requests_ : work_).push_back(std::move(task));
  wake_.notify_one();
}

void ComputeThread::cancel(Task& task) {
  std::lock_guard lock(mutex_);
  task.cancelled_ = true;
  sweep_ = true;
  wake_.notify_one();
}

void ComputeThread::stop(std::exception_ptr reason) {
  std::lock_guard lock(mutex_);
  if (!stopReason_) stopReason_ = std::move(reason);
  wake_.notify_one();
}

void ComputeThread::join() {
  std::lock_guard lock(joinMutex_);
  if (thread_.joinable()) thread_.join();
}

void ComputeThread::loop() {
  threads_ = setThreads(options_.threads);
  while (auto task = next()) {
    perform(std::move(task));
  }
  settleAll(stopReason_);
  if (options_.onEnd) options_.onEnd();
}

// The next task to run, requests first; null at the end.
std::shared_ptr<Task> ComputeThread::next() {
  while (true) {
    settleCancelled();
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopReason_ || sweep_ || !requests_.empty() || !work_.empty(); });
    if (stopReason_) return nullptr;
    if (sweep_) continue;
    Queue& queue = requests_.empty() ? work_ : requests_;
    auto task = std::move(queue.front());
    queue.pop_front();
    return task;
  }
}

// Runs one step of `task`, together with the requests that it absorbs, and settles or requeues.
void ComputeThread::perform(std::shared_ptr<Task> task) {
  Group group = gather(std::move(task));
  std::exception_ptr failure;
  const bool more = stepOnce(group, failure);
  if (more && !group.members.empty()) {
    std::lock_guard lock(mutex_);
    work_.push_back(std::move(group.leader));
    return;
  }
  if (failure && group.members.size() > 1 && !stopping()) return performEachAlone(group);
  for (auto& member : group.members) member->settle(failure);
}

// After a shared run failed: one of its members is at fault, and must not take the others with it.
void ComputeThread::performEachAlone(const Group& group) {
  for (auto& member : group.members) {
    std::exception_ptr failure = std::make_exception_ptr(Cancelled());
    Group alone{member, {member}};
    if (!member->cancelled()) stepOnce(alone, failure = nullptr);
    for (auto& left : alone.members) left->settle(failure);
  }
}

// One step of the group's leader; true: more are left. Members that were cancelled are settled and gone afterwards.
bool ComputeThread::stepOnce(Group& group, std::exception_ptr& failure) {
  group.outer = std::exchange(current_, &group);
  bool more = false;
  try {
    at::AutoGradMode grad(true);  // a request in the middle of a backward pass starts like any other
    more = group.leader->step(*this);
  } catch (...) {
    failure = currentFailure();
  }
  current_ = group.outer;
  return more;
}

// The exception in flight, or the reason to stop where that is what interrupted the step.
std::exception_ptr ComputeThread::currentFailure() {
  try {
    throw;
  } catch (const Cancelled&) {
    std::lock_guard lock(mutex_);
    return stopReason_ ? stopReason_ : std::current_exception();
  } catch (...) {
    return std::current_exception();
  }
}

ComputeThread::Group ComputeThread::gather(std::shared_ptr<Task> leader) {
  Group group{leader, {leader}};
  if (leader->kind() != TaskKind::kRequest) return group;
  std::lock_guard lock(mutex_);
  std::erase_if(requests_, [&](const std::shared_ptr<Task>& waiting) {
    if (waiting->cancelled() || !leader->absorb(*waiting)) return false;
    group.members.push_back(waiting);
    return true;
  });
  return group;
}

std::shared_ptr<Task> ComputeThread::takeRequest() {
  std::lock_guard lock(mutex_);
  if (requests_.empty()) return nullptr;
  auto request = std::move(requests_.front());
  requests_.pop_front();
  return request;
}

// Those that wait now and no later ones, so that a stream of requests slows long work down but never stops it.
void ComputeThread::serveRequests() {
  size_t waiting = 0;
  {
    std::lock_guard lock(mutex_);
    waiting = requests_.size();
  }
  for (; waiting > 0; --waiting) {
    auto request = takeRequest();
    if (!request) return;
    perform(std::move(request));
  }
}

// A task that runs is settled here too: its owner hears of it at once, and the step is left with Cancelled when no
// member wants it any more.
void ComputeThread::pause() {
  settleCancelled();
  if (stopping() || current_->members.empty()) throw Cancelled();
  if (current_->leader->kind() == TaskKind::kRequest) return;
  serveRequests();
  settleCancelled();
  if (stopping() || current_->members.empty()) throw Cancelled();
}

bool ComputeThread::stopping() {
  std::lock_guard lock(mutex_);
  return stopReason_ != nullptr;
}

void ComputeThread::settleCancelled() {
  std::vector<std::shared_ptr<Task>> cancelled;
  const auto collect = [&](const std::shared_ptr<Task>& task) {
    if (!task->cancelled()) return false;
    cancelled.push_back(task);
    return true;
  };
  {
    std::lock_guard lock(mutex_);
    if (!sweep_) return;
    sweep_ = false;
    std::erase_if(requests_, collect);
    std::erase_if(work_, collect);
  }
  for (Group* group = current_; group; group = group->outer) std::erase_if(group->members, collect);
  for (auto& task : cancelled) task->settle(std::make_exception_ptr(Cancelled()));
}

void ComputeThread::settleAll(std::exception_ptr failure) {
  Queue left;
  {
    std::lock_guard lock(mutex_);
    left.swap(requests_);
    left.insert(left.end(), work_.begin(), work_.end());
    work_.clear();
  }
  for (auto& task : left) task->settle(failure);
}

}  // namespace softprompt
