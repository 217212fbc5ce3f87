// One long-lived thread that owns a model's tensors and does all of its work.
//
// Two kinds of tasks wait for it. Requests are short (generate, score, classify): they run at once when the thread is
// idle, and otherwise at the yield points of long work, that is between its layers. Long work (a tuning run, loading,
// saving) goes a step at a time: after each step it queues up again, so that two runs on one model take turns.
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

  // One step; true: more are left (kWork only). `yieldPoint` is paused at between layers and decoded tokens.
  virtual bool step(YieldPoint& yieldPoint) = 0;

  // Asked of a request about to run, for each one that waits behind it: true where its next step() does both.
  virtual bool absorb(Task& other) { return false; }

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
  int threads = 0;                   // of LibTorch's parallel regions on this thread; 0: LibTorch's own choice
  size_t capacity = 4096;            // tasks that may wait
  std::function<void()> onEnd = {};  // the last thing the thread does: frees what lives on it
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
  std::shared_ptr<Task> next();
  void perform(std::shared_ptr<Task> task);
  void performEachAlone(const Group& group);
  bool stepOnce(Group& group, std::exception_ptr& failure);
  Group gather(std::shared_ptr<Task> leader);
  std::shared_ptr<Task> takeRequest();
  void serveRequests();
  void settleCancelled();
  void settleAll(std::exception_ptr failure);
  std::exception_ptr currentFailure();
  bool stopping();

  void pause() override;

  ComputeThreadOptions options_;
  Group* current_ = nullptr;  // what runs now, the innermost; only the thread itself looks

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
