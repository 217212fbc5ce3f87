// The compute thread: order, turns, requests between layers, cancelling, stopping. No model is needed.
#include "core/runtime/compute_thread.h"

#include <ATen/Parallel.h>

#include <future>
#include <mutex>

#include "check.h"
#include "core/runtime/error.h"

namespace {

using softprompt::Cancelled;
using softprompt::ComputeThread;
using softprompt::ComputeThreadOptions;
using softprompt::Error;
using softprompt::FunctionTask;
using softprompt::Task;
using softprompt::TaskKind;
using softprompt::YieldPoint;

// What happened, in order, as seen by the compute thread.
class Journal {
 public:
  void note(const std::string& what) {
    std::lock_guard lock(mutex_);
    text_ += what + " ";
  }
  std::string text() {
    std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

// A one-way gate between threads.
class Gate {
 public:
  void open() { promise_.set_value(); }
  void pass() { future_.wait(); }

 private:
  std::promise<void> promise_;
  std::shared_future<void> future_ = promise_.get_future().share();
};

struct Submitted {
  std::shared_ptr<Task> task;
  std::shared_future<std::string> outcome;  // "done", "cancelled" or an error's code
};

std::string outcomeOf(std::exception_ptr failure) {
  if (!failure) return "done";
  try {
    std::rethrow_exception(failure);
  } catch (const Cancelled&) {
    return "cancelled";
  } catch (const Error& error) {
    return error.code();
  } catch (const std::exception& error) {
    return error.what();
  }
}

Task::OnSettled tell(std::shared_ptr<std::promise<std::string>> promise) {
  return [promise](std::exception_ptr failure) { promise->set_value(outcomeOf(failure)); };
}

Submitted submit(ComputeThread& thread, TaskKind kind, FunctionTask::Step step) {
  auto promise = std::make_shared<std::promise<std::string>>();
  Submitted submitted{std::make_shared<FunctionTask>(kind, std::move(step), tell(promise)),
                      promise->get_future().share()};
  thread.submit(submitted.task);
  return submitted;
}

// A training run of `steps` steps with `layers` yield points each; the first step waits for `start`.
FunctionTask::Step run(Journal& journal, std::string name, int steps, int layers, Gate* start = nullptr) {
  return [&journal, name, steps, layers, start, done = 0](YieldPoint& yieldPoint) mutable {
    if (start && done == 0) start->pass();
    for (int i = 0; i < layers; ++i) {
      journal.note(name + std::to_string(done) + "." + std::to_string(i));
      yieldPoint.pause();
    }
    return ++done < steps;
  };
}

FunctionTask::Step once(Journal& journal, std::string name) {
  return [&journal, name](YieldPoint& yieldPoint) {
    yieldPoint.pause();
    journal.note(name);
    return false;
  };
}

// A request that shares a run with its like, and fails where it is the one at fault.
class Shared final : public Task {
 public:
  Shared(Journal& journal, std::string name, bool faulty, OnSettled onSettled)
      : Task(TaskKind::kRequest, std::move(onSettled)), journal_(journal), name_(std::move(name)), faulty_(faulty) {}
  bool absorb(const std::shared_ptr<Task>& other) override {
    with_.push_back(dynamic_cast<Shared*>(other.get()));
    return true;
  }
  bool step(YieldPoint& yieldPoint) override {
    const auto with = std::exchange(with_, {});
    std::string all = name_;
    bool faulty = faulty_;
    for (const auto* other : with) {
      all += "+" + other->name_;
      faulty = faulty || other->faulty_;
    }
    journal_.note(all);
    if (between) between();
    yieldPoint.pause();
    if (faulty) throw Error("FAULTY", "one of " + all);
    return false;
  }
  std::function<void()> between;

 private:
  Journal& journal_;
  std::string name_;
  bool faulty_;
  std::vector<Shared*> with_;
};

struct SubmittedShared {
  std::shared_ptr<Shared> task;
  std::shared_future<std::string> outcome;
};

SubmittedShared makeShared(Journal& journal, const std::string& name, bool faulty = false) {
  auto promise = std::make_shared<std::promise<std::string>>();
  return {std::make_shared<Shared>(journal, name, faulty, tell(promise)), promise->get_future().share()};
}

// Holds the thread, as a request, until opened.
Submitted hold(ComputeThread& thread, Gate& entered, Gate& release) {
  auto held = submit(thread, TaskKind::kRequest, [&](YieldPoint&) {
    entered.open();
    release.pass();
    return false;
  });
  entered.pass();
  return held;
}

}  // namespace

TEST(computeThread_twoRunsTakeTurnsStepByStep) {
  Journal journal;
  ComputeThread thread({});
  Gate start;
  auto a = submit(thread, TaskKind::kWork, run(journal, "a", 3, 1, &start));
  auto b = submit(thread, TaskKind::kWork, run(journal, "b", 3, 1));
  start.open();
  CHECK_EQ(a.outcome.get(), "done");
  CHECK_EQ(b.outcome.get(), "done");
  CHECK_EQ(journal.text(), "a0.0 b0.0 a1.0 b1.0 a2.0 b2.0 ");
}

TEST(computeThread_requestsRunBetweenLayersOfWork) {
  Journal journal;
  ComputeThread thread({});
  Gate start;
  auto work = submit(thread, TaskKind::kWork, run(journal, "w", 2, 2, &start));
  auto request = submit(thread, TaskKind::kRequest, once(journal, "request"));
  start.open();
  CHECK_EQ(work.outcome.get(), "done");
  CHECK_EQ(request.outcome.get(), "done");
  // The request may have come before the run began; if not, it runs at the first yield point.
  CHECK(journal.text() == "w0.0 request w0.1 w1.0 w1.1 " || journal.text() == "request w0.0 w0.1 w1.0 w1.1 ");
}

// What work of four layers of `layer` seconds and a request of tokens of `token` seconds do in turn.
static std::string inTurn(double layer, double token) {
  Journal journal;
  double now = 0;  // of the compute thread alone
  Gate entered, release;
  ComputeThread thread({.clock = [&now] { return now; }});
  auto work = submit(thread, TaskKind::kWork, [&](YieldPoint& yieldPoint) {
    entered.open();
    release.pass();
    for (int i = 0; i < 4; ++i) {
      journal.note("layer");
      now += layer;
      yieldPoint.pause();
    }
    return false;
  });
  entered.pass();
  auto request = submit(thread, TaskKind::kRequest, [&, count = 0](YieldPoint&) mutable {
    journal.note(std::to_string(count));
    now += token;
    return ++count < 7;
  });
  release.open();
  CHECK_EQ(work.outcome.get(), "done");
  CHECK_EQ(request.outcome.get(), "done");
  return journal.text();
}

TEST(computeThread_requestsHaveAsLongAsWorkHad) {
  CHECK_EQ(inTurn(3, 1), "layer 0 1 2 layer 3 4 5 layer 6 layer ");
  CHECK_EQ(inTurn(3, 2), "layer 0 1 layer 2 layer 3 4 layer 5 6 ");
  CHECK_EQ(inTurn(1, 3), "layer 0 layer layer layer 1 2 3 4 5 6 ");
}

TEST(computeThread_requestsAreNeverNestedInRequests) {
  Journal journal;
  ComputeThread thread({});
  std::shared_future<std::string> inner;
  auto outer = submit(thread, TaskKind::kRequest, [&](YieldPoint& yieldPoint) {
    inner = submit(thread, TaskKind::kRequest, once(journal, "inner")).outcome;
    yieldPoint.pause();
    journal.note("outer");
    return false;
  });
  CHECK_EQ(outer.outcome.get(), "done");
  CHECK_EQ(inner.get(), "done");
  CHECK_EQ(journal.text(), "outer inner ");
}

TEST(computeThread_cancelTakesEffectAtTheNextYieldPoint) {
  Journal journal;
  ComputeThread thread({});
  std::shared_ptr<Task> self;
  Gate known;
  auto work = submit(thread, TaskKind::kWork, [&](YieldPoint& yieldPoint) {
    known.pass();
    for (int layer = 0; layer < 10; ++layer) {
      journal.note(std::to_string(layer));
      if (layer == 3) thread.cancel(*self);
      yieldPoint.pause();
    }
    return true;
  });
  self = work.task;
  known.open();
  CHECK_EQ(work.outcome.get(), "cancelled");
  CHECK_EQ(journal.text(), "0 1 2 3 ");
}

TEST(computeThread_cancelReachesWorkThatARequestInterrupts) {
  Journal journal;
  ComputeThread thread({});
  std::shared_ptr<Task> self;
  Gate known;
  auto work = submit(thread, TaskKind::kWork, [&](YieldPoint& yieldPoint) {
    known.pass();
    submit(thread, TaskKind::kRequest, [&](YieldPoint& inner) {
      thread.cancel(*self);
      inner.pause();
      journal.note("request");
      return false;
    });
    yieldPoint.pause();
    journal.note("never");
    return false;
  });
  self = work.task;
  known.open();
  CHECK_EQ(work.outcome.get(), "cancelled");
  auto next = submit(thread, TaskKind::kWork, once(journal, "next"));
  CHECK_EQ(next.outcome.get(), "done");
  CHECK_EQ(journal.text(), "request next ");
}

TEST(computeThread_waitingTasksAreCancelledAtOnce) {
  Journal journal;
  ComputeThread thread({});
  Gate entered, release;
  auto work = submit(thread, TaskKind::kWork, [&](YieldPoint& yieldPoint) {
    entered.open();
    release.pass();
    yieldPoint.pause();
    journal.note("work");
    return false;
  });
  entered.pass();
  auto waitingWork = submit(thread, TaskKind::kWork, once(journal, "never"));
  auto waitingRequest = submit(thread, TaskKind::kRequest, once(journal, "never"));
  thread.cancel(*waitingWork.task);
  thread.cancel(*waitingRequest.task);
  release.open();
  CHECK_EQ(waitingWork.outcome.get(), "cancelled");
  CHECK_EQ(waitingRequest.outcome.get(), "cancelled");
  CHECK_EQ(work.outcome.get(), "done");
  CHECK_EQ(journal.text(), "work ");
}

TEST(computeThread_lateAndRepeatedCancelsDoNothing) {
  Journal journal;
  ComputeThread thread({});
  auto work = submit(thread, TaskKind::kWork, run(journal, "w", 1, 1));
  CHECK_EQ(work.outcome.get(), "done");
  thread.cancel(*work.task);
  thread.cancel(*work.task);
  auto next = submit(thread, TaskKind::kWork, run(journal, "n", 1, 1));
  CHECK_EQ(next.outcome.get(), "done");
}

TEST(computeThread_stopSettlesEverythingWithItsReason) {
  Journal journal;
  bool ended = false;
  ComputeThread thread({.onEnd = [&] { ended = true; }});
  Gate entered, release;
  auto work = submit(thread, TaskKind::kWork, [&](YieldPoint& yieldPoint) {
    entered.open();
    release.pass();
    yieldPoint.pause();
    journal.note("never");
    return true;
  });
  entered.pass();
  auto waiting = submit(thread, TaskKind::kWork, once(journal, "never"));
  thread.stop(std::make_exception_ptr(Error("MODEL_DISPOSED", "gone")));
  release.open();
  CHECK_EQ(work.outcome.get(), "MODEL_DISPOSED");
  CHECK_EQ(waiting.outcome.get(), "MODEL_DISPOSED");
  thread.join();
  CHECK(ended);
  CHECK_EQ(journal.text(), "");
  CHECK_THROWS(submit(thread, TaskKind::kWork, once(journal, "never")), "MODEL_DISPOSED");
}

TEST(computeThread_aFullQueueRefuses) {
  Journal journal;
  ComputeThread thread({.capacity = 2});
  Gate entered, release;
  auto held = hold(thread, entered, release);
  auto a = submit(thread, TaskKind::kWork, once(journal, "a"));
  auto b = submit(thread, TaskKind::kRequest, once(journal, "b"));
  CHECK_THROWS(submit(thread, TaskKind::kRequest, once(journal, "c")), "MODEL_BUSY");
  release.open();
  CHECK_EQ(a.outcome.get(), "done");
  CHECK_EQ(b.outcome.get(), "done");
}

TEST(computeThread_aFailureIsTheTasksOwn) {
  Journal journal;
  ComputeThread thread({});
  auto bad = submit(thread, TaskKind::kWork, [](YieldPoint&) -> bool { throw Error("BAD", "as told"); });
  auto good = submit(thread, TaskKind::kWork, once(journal, "good"));
  CHECK_EQ(bad.outcome.get(), "BAD");
  CHECK_EQ(good.outcome.get(), "done");
}

TEST(computeThread_waitingRequestsShareARun) {
  Journal journal;
  ComputeThread thread({});
  Gate entered, release;
  auto held = hold(thread, entered, release);
  auto a = makeShared(journal, "a"), b = makeShared(journal, "b"), c = makeShared(journal, "c");
  for (auto* one : {&a, &b, &c}) thread.submit(one->task);
  release.open();
  for (auto* one : {&a, &b, &c}) CHECK_EQ(one->outcome.get(), "done");
  CHECK_EQ(journal.text(), "a+b+c ");
}

TEST(computeThread_cancellingOneOfASharedRunLeavesTheOthers) {
  Journal journal;
  ComputeThread thread({});
  Gate entered, release;
  auto held = hold(thread, entered, release);
  auto a = makeShared(journal, "a"), b = makeShared(journal, "b");
  a.task->between = [&] { thread.cancel(*a.task); };  // even the one that leads
  thread.submit(a.task);
  thread.submit(b.task);
  release.open();
  CHECK_EQ(a.outcome.get(), "cancelled");
  CHECK_EQ(b.outcome.get(), "done");
  CHECK_EQ(journal.text(), "a+b ");
}

TEST(computeThread_aFaultInASharedRunFailsOnlyItsOwner) {
  Journal journal;
  ComputeThread thread({});
  Gate entered, release;
  auto held = hold(thread, entered, release);
  auto a = makeShared(journal, "a"), b = makeShared(journal, "b", true), c = makeShared(journal, "c");
  for (auto* one : {&a, &b, &c}) thread.submit(one->task);
  release.open();
  CHECK_EQ(a.outcome.get(), "done");
  CHECK_EQ(b.outcome.get(), "FAULTY");
  CHECK_EQ(c.outcome.get(), "done");
  CHECK_EQ(journal.text(), "a+b+c a b c ");
}

TEST(computeThread_eachHasItsOwnNumberOfThreads) {
  const auto threadsOf = [](ComputeThread& thread) {
    int threads = 0;
    submit(thread, TaskKind::kWork, [&](YieldPoint&) {
      threads = at::get_num_threads();
      return false;
    }).outcome.wait();
    return threads;
  };
  ComputeThread one({.threads = 1});
  ComputeThread two({.threads = 2});
  CHECK_EQ(threadsOf(one), 1);
  CHECK_EQ(threadsOf(two), 2);
  CHECK_EQ(threadsOf(one), 1);
  CHECK_EQ(two.threads(), 2);
}
