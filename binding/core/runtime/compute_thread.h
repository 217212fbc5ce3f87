// One long-lived thread that owns a model's tensors and does all of its work.
//
// Two kinds of tasks wait for it, and both go a step at a time. Requests (generate, score, classify) come in rounds:
// each of them does one step (a token of generate's batch, all of score), when the thread is idle and at the yield
// points of work, that is between its layers. There they have as long as the work has had, so that many of them slow
// work down to half its pace, but never stop it. Work (a tuning run, loading, saving) does a step after each round and
// queues up again, so that two runs on one model take turns.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/runtime/yield_point.h"

namespace softprompt {

enum class TaskKind { kRequest, kWork };

// Something for a compute thread to do. Made on any thread; run, settled and (unless its owner keeps it) destroyed on
// the compute thread.
class Task {
 public:
  // Told exactly once how the task ended: null where it succeeded. Must not throw.
  using OnSettled = std::function<void(std::exception_ptr failure)>;

  Task(TaskKind kind, OnSettled onSettled) : kind_(kind), onSettled_(std::move(onSettled)) {}
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  // One step; true: more are left. `yieldPoint` is paused at between layers.
  virtual bool step(YieldPoint& yieldPoint) = 0;

  // The rest is asked of requests.
  // Whether it takes more than one step, and keeps memory in between: only a few of those are begun at a time.
  virtual bool isLong() const { return false; }
  // Before a step, the first or a later one, for each one that waits: true where its steps do both from then on.
  virtual bool absorb(const std::shared_ptr<Task>& other) { return false; }
  // After each step, of every one that shares it: whether its own part is done before the rest.
  virtual bool isDone() const { return false; }

  TaskKind kind() const { return kind_; }
  bool cancelled() const { return cancelled_; }
  bool settled() const { return settled_; }

 private:
  friend class ComputeThread;
  void settle(std::exception_ptr failure);

  const TaskKind kind_;
  OnSettled onSettled_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> settled_{false};
};

// A task that is one function.
class FunctionTask final : public Task {
 public:
  using Step = std::function<bool(YieldPoint&)>;
  FunctionTask(TaskKind kind, Step step, OnSettled onSettled)
      : Task(kind, std::move(onSettled)), step_(std::move(step)) {}
  bool step(YieldPoint& yieldPoint) override { return step_(yieldPoint); }

 private:
  Step step_;
};

struct ComputeThreadOptions {
  int threads = 0;                     // of LibTorch's parallel regions on this thread; 0: LibTorch's own choice
  size_t capacity = 4096;              // tasks that may wait
  std::function<void()> onEnd = {};    // the last thing the thread does: frees what lives on it
  std::function<double()> clock = {};  // seconds that only grow; without one the system's
};

class ComputeThread final : private YieldPoint {
 public:
  explicit ComputeThread(ComputeThreadOptions options);
  ~ComputeThread() override;  // stop() and join()

  // The rest may be called from any thread.

  // Throws Error MODEL_BUSY (the queue is full), and MODEL_DISPOSED after stop().
  void submit(std::shared_ptr<Task> task);
  // Settles the task with Cancelled, at once where it waits, at the next yield point where it runs.
  void cancel(Task& task);
  // Ends the thread at the next yield point; whatever is unsettled is settled with `reason`.
  void stop(std::exception_ptr reason);
  // Waits for the end. Not from the thread itself.
  void join();
  // What LibTorch's parallel regions on this thread have; known once a task has run.
  int threads() const { return threads_; }

 private:
  // Requests that share one run; any other task is alone. Settled ones leave.
  struct Group {
    std::shared_ptr<Task> leader;
    std::vector<std::shared_ptr<Task>> members;
    Group* outer = nullptr;  // what it interrupts
  };
  using Queue = std::deque<std::shared_ptr<Task>>;

  void loop();
  bool awaitTasks();
  void performWork();
  void perform(Group group);
  void goOn(Group group);
  bool stepOnce(Group& group, std::exception_ptr& failure);
  void admitRequests();
  bool joinRunning(const std::shared_ptr<Task>& request);
  Group gather(std::shared_ptr<Task> leader);
  void serveRequests();
  void serveInTurn();
  void settleCancelled();
  void settleAll(std::exception_ptr failure);
  std::exception_ptr currentFailure();
  bool stopping();

  void pause() override;

  ComputeThreadOptions options_;
  // Only the thread itself looks at these.
  Group* current_ = nullptr;   // what runs now, the innermost
  std::deque<Group> running_;  // requests that have been taken in and have steps left, but for those that run now
  // By the clock, in seconds: when work began its step or went on after a pause; and what requests may take of it now,
  // negative where a step of theirs took longer.
  double workingSince_ = 0;
  double credit_ = 0;

  std::atomic<int> threads_{0};

  std::mutex mutex_;  // guards all below
  std::condition_variable wake_;
  Queue requests_;
  Queue work_;
  bool sweep_ = false;             // a task was cancelled since the last look
  std::exception_ptr stopReason_;  // set: stopping

  std::mutex joinMutex_;
  std::thread thread_;
};

}  // namespace softprompt
