#include "core/runtime/compute_thread.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/runtime/error.h"

namespace softprompt {

namespace {

// Long requests that are under way at a time: each keeps a key/value cache.
constexpr int64_t kMaxLong = 4;

// LibTorch sets a thread's share of OpenMP lazily, from whatever any thread asked for last. So that lazy step comes
// first (once for LibTorch's own flag, once for the one inlined here), then our own number.
int setThreads(int threads) {
  at::internal::lazy_init_num_threads();
  at::get_num_threads();
  if (threads > 0) at::set_num_threads(threads);
  return at::get_num_threads();
}

double systemSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

ComputeThreadOptions withClock(ComputeThreadOptions options) {
  if (!options.clock) options.clock = systemSeconds;
  return options;
}

}  // namespace

void Task::settle(std::exception_ptr failure) {
  if (settled_.exchange(true)) return;
  onSettled_(std::move(failure));
  onSettled_ = nullptr;
}

ComputeThread::ComputeThread(ComputeThreadOptions options)
    : options_(withClock(std::move(options))), thread_([this] { loop(); }) {}

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
  while (awaitTasks()) {
    serveRequests();
    performWork();
  }
  settleAll(stopReason_);
  if (options_.onEnd) options_.onEnd();
}

// False at the end.
bool ComputeThread::awaitTasks() {
  while (true) {
    settleCancelled();
    std::unique_lock lock(mutex_);
    wake_.wait(lock,
               [this] { return stopReason_ || sweep_ || !running_.empty() || !requests_.empty() || !work_.empty(); });
    if (stopReason_) return false;
    if (!sweep_) return true;
  }
}

// One step of whatever work waits the longest.
void ComputeThread::performWork() {
  std::shared_ptr<Task> task;
  {
    std::lock_guard lock(mutex_);
    if (stopReason_ || work_.empty()) return;
    task = std::move(work_.front());
    work_.pop_front();
  }
  workingSince_ = options_.clock();
  perform({task, {task}});
}

// One step; then the group is settled or queues up again.
void ComputeThread::perform(Group group) {
  std::exception_ptr failure;
  const bool more = stepOnce(group, failure);
  if (!failure) {
    std::erase_if(group.members, [&](const std::shared_ptr<Task>& member) {
      if (more && !member->isDone()) return false;
      member->settle(nullptr);
      return true;
    });
    if (!group.members.empty()) goOn(std::move(group));
    return;
  }
  if (group.members.size() > 1 && !stopping()) {  // one of them is at fault, and must not take the others with it
    for (const auto& member : group.members) goOn({member, {member}});
    return;
  }
  for (const auto& member : group.members) member->settle(failure);
}

void ComputeThread::goOn(Group group) {
  if (group.leader->kind() == TaskKind::kRequest) {
    running_.push_back(std::move(group));
    return;
  }
  std::lock_guard lock(mutex_);
  work_.push_back(std::move(group.leader));
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

// Takes in what waits; of long requests only as many as may be under way together.
void ComputeThread::admitRequests() {
  std::lock_guard lock(mutex_);
  auto underWay =
      std::count_if(running_.begin(), running_.end(), [](const Group& group) { return group.leader->isLong(); });
  Queue left;
  while (!requests_.empty()) {
    auto leader = std::move(requests_.front());
    requests_.pop_front();
    if (joinRunning(leader)) continue;
    if (leader->isLong() && underWay >= kMaxLong) {
      left.push_back(std::move(leader));
      continue;
    }
    underWay += leader->isLong();
    running_.push_back(gather(std::move(leader)));
  }
  requests_.swap(left);
}

// With mutex_ locked.
bool ComputeThread::joinRunning(const std::shared_ptr<Task>& request) {
  if (request->cancelled()) return false;
  for (Group& group : running_) {
    if (!group.leader->absorb(request)) continue;
    group.members.push_back(request);
    return true;
  }
  return false;
}

// With mutex_ locked.
ComputeThread::Group ComputeThread::gather(std::shared_ptr<Task> leader) {
  Group group{leader, {leader}};
  std::erase_if(requests_, [&](const std::shared_ptr<Task>& waiting) {
    if (waiting->cancelled() || !leader->absorb(waiting)) return false;
    group.members.push_back(waiting);
    return true;
  });
  return group;
}

// One round: a step of each request that waits now, and of no later ones.
void ComputeThread::serveRequests() {
  admitRequests();
  for (size_t turns = running_.size(); turns > 0; --turns) {
    settleCancelled();
    if (running_.empty() || stopping()) return;
    Group group = std::move(running_.front());
    running_.pop_front();
    perform(std::move(group));
  }
}

// Rounds while requests have not had as long as the work had. What nobody wanted is not saved up.
void ComputeThread::serveInTurn() {
  double now = options_.clock();
  const double worked = now - workingSince_;
  credit_ = std::min(credit_ + worked, worked);
  while (credit_ > 0 && !stopping() && !current_->members.empty()) {
    serveRequests();
    credit_ -= options_.clock() - now;
    now = options_.clock();
    if (running_.empty()) break;
  }
  workingSince_ = now;
}

// A task that runs is settled here too: its owner hears of it at once, and the step is left with Cancelled when no
// member wants it any more.
void ComputeThread::pause() {
  settleCancelled();
  if (stopping() || current_->members.empty()) throw Cancelled();
  if (current_->leader->kind() == TaskKind::kRequest) return;
  serveInTurn();
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
  for (Group& group : running_) std::erase_if(group.members, collect);
  std::erase_if(running_, [](const Group& group) { return group.members.empty(); });
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
  for (Group& group : std::exchange(running_, {}))
    for (auto& member : group.members) member->settle(failure);
}

}  // namespace softprompt
