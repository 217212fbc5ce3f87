// Merged generate calls: each gets what it would get alone, and its own tokens.
#include "core/generate/scheduler.h"

#include <future>
#include <map>

#include "check.h"
#include "fixture.h"
#include "small_executor.h"

namespace {

using softprompt::ComputeThread;
using softprompt::Executor;
using softprompt::FinishReason;
using softprompt::FunctionTask;
using softprompt::GenerateOptions;
using softprompt::GenerateRequest;
using softprompt::Generation;
using softprompt::TaskKind;
using softprompt::YieldPoint;

using Tokens = std::vector<std::vector<int32_t>>;

// Rows that start with `first`, behind a prompt of their own, or none.
GenerateRequest::Call call(int64_t rows, int32_t first, bool prompted, int64_t maxNewTokens = 6) {
  std::mt19937 random(first);
  GenerateRequest::Call made;
  if (prompted) made.rows.prompts = {check::uniform(random, {first % 4 + 1, 8}, 2.0)};
  for (int64_t i = 0; i < rows; ++i) {
    made.rows.inputs.append(std::vector<int32_t>(1 + (first + i) % 5, first));
    made.rows.promptOfRow.push_back(prompted ? 0 : -1);
    made.options.push_back({.maxNewTokens = maxNewTokens, .minNewTokens = i});
  }
  return made;
}

// One that nobody waits for.
GenerateRequest::Call endless(int32_t first, int64_t rows = 1) {
  auto made = call(rows, first, false, 1'000'000);
  for (GenerateOptions& options : made.options) options.minNewTokens = 1'000'000;
  return made;
}

struct Pending {
  std::shared_ptr<GenerateRequest> task;
  std::shared_ptr<Tokens> told = std::make_shared<Tokens>();  // by onToken
  std::shared_future<Tokens> result;                          // its exception: the failure
};

Pending request(const std::unique_ptr<Executor>& model, GenerateRequest::Call given) {
  Pending pending;
  auto promise = std::make_shared<std::promise<Tokens>>();
  pending.result = promise->get_future().share();
  pending.told->resize(given.rows.inputs.size());
  given.onToken = [told = pending.told](int64_t row, int32_t token) { (*told)[row].push_back(token); };
  const auto onDone = [promise](std::exception_ptr failure, const GenerateRequest::Answers& answers) {
    if (failure) return promise->set_exception(failure);
    Tokens tokens;
    for (const auto& row : answers) tokens.push_back(row.at(0).tokens);
    promise->set_value(tokens);
  };
  pending.task = std::make_shared<GenerateRequest>(model, std::move(given), onDone);
  return pending;
}

// Submits all while something else runs, so that they are taken together.
void submitTogether(ComputeThread& thread, const std::vector<Pending>& requests) {
  struct Gate {
    std::promise<void> entered, release;
  };
  const auto gate = std::make_shared<Gate>();
  thread.submit(std::make_shared<FunctionTask>(
      TaskKind::kRequest,
      [gate](YieldPoint&) {
        gate->entered.set_value();
        gate->release.get_future().wait();
        return false;
      },
      [](std::exception_ptr) {}));
  gate->entered.get_future().wait();
  for (const Pending& one : requests) thread.submit(one.task);
  gate->release.set_value();
}

void runTogether(ComputeThread& thread, const std::vector<Pending>& requests) {
  submitTogether(thread, requests);
  for (const Pending& one : requests) one.result.wait();
}

Tokens alone(ComputeThread& thread, const std::unique_ptr<Executor>& model, const GenerateRequest::Call& given) {
  const Pending one = request(model, given);
  thread.submit(one.task);
  return one.result.get();
}

}  // namespace

TEST(scheduler_mergedCallsGetWhatEachGetsAlone) {
  const std::unique_ptr<Executor> model = std::make_unique<check::SmallExecutor>();
  ComputeThread thread({});
  const std::vector<GenerateRequest::Call> calls = {call(3, 5, true), call(1, 6, false), call(2, 9, true, 3)};
  std::vector<Pending> together;
  for (const auto& one : calls) together.push_back(request(model, one));
  runTogether(thread, together);
  for (size_t i = 0; i < calls.size(); ++i) {
    CHECK(together[i].result.get() == alone(thread, model, calls[i]));
    CHECK(*together[i].told == together[i].result.get());
  }
}

TEST(scheduler_aCallWhosePromptIsTooWideFailsAlone) {
  const std::unique_ptr<Executor> model = std::make_unique<check::SmallExecutor>();
  ComputeThread thread({});
  auto wide = call(2, 7, true);
  std::mt19937 random(1);
  wide.rows.prompts = {check::uniform(random, {2, 9}, 1.0)};
  const std::vector<Pending> together = {request(model, call(2, 5, true)), request(model, wide),
                                         request(model, call(1, 6, false))};
  runTogether(thread, together);
  CHECK_THROWS(together[1].result.get(), "PROMPT_WIDTH");
  for (const size_t i : {0, 2}) {
    CHECK(*together[i].told == together[i].result.get());
  }
}

// From the thread that is told of the tokens, as a caller does that has seen enough.
TEST(scheduler_aFinishedRowEndsWithWhatItHas) {
  const std::unique_ptr<Executor> model = std::make_unique<check::SmallExecutor>();
  ComputeThread thread({});
  auto given = call(3, 8, true);
  for (GenerateOptions& options : given.options) options.minNewTokens = options.maxNewTokens = 9;
  const Tokens whole = alone(thread, model, given);
  CHECK_EQ(whole[1].size(), size_t{9});
  GenerateRequest* running = nullptr;
  int seen = 0;
  given.onToken = [&](int64_t row, int32_t) {
    if (row == 1 && ++seen == 4) running->finishRow(1);
  };
  std::promise<GenerateRequest::Answers> answers;
  const auto request = std::make_shared<GenerateRequest>(
      model, given, [&](std::exception_ptr, GenerateRequest::Answers made) { answers.set_value(std::move(made)); });
  running = request.get();
  thread.submit(request);
  const auto made = answers.get_future().get();
  for (const size_t row : {0, 2}) CHECK(made[row][0].tokens == whole[row]);
  CHECK(made[1][0].tokens == std::vector<int32_t>(whole[1].begin(), whole[1].begin() + 4));
  CHECK(made[1][0].finishReason == FinishReason::kLength);
}

TEST(scheduler_aBatchHasAtMost64Lanes) {
  const std::unique_ptr<Executor> model = std::make_unique<check::SmallExecutor>();
  const std::unique_ptr<Executor> other = std::make_unique<check::SmallExecutor>();
  const auto make = [](const std::unique_ptr<Executor>& of, GenerateRequest::Call given) {
    return std::make_shared<GenerateRequest>(of, std::move(given), GenerateRequest::OnDone());
  };
  auto wide = call(6, 9, false);
  for (GenerateOptions& options : wide.options) options.numBeams = 4;
  const auto first = make(model, call(40, 5, false));
  CHECK(!first->absorb(make(model, call(25, 6, false))));
  CHECK(first->absorb(make(model, wide)));  // 40 + 24
  CHECK(!first->absorb(make(model, call(1, 8, false))));
  CHECK(!make(model, call(1, 5, false))->absorb(make(other, call(1, 8, false))));
}

// Tokens told by now, of the first row.
size_t toldBy(const Pending& pending) {
  return (*pending.told)[0].size();
}

TEST(scheduler_callsAndWorkTakeTurnsTokenByToken) {
  const std::unique_ptr<Executor> model = std::make_unique<check::SmallExecutor>();
  ComputeThread thread({});
  const Pending one = request(model, endless(5));
  std::vector<size_t> seen;
  std::promise<void> done;
  thread.submit(std::make_shared<FunctionTask>(
      TaskKind::kWork,
      [&](YieldPoint& yieldPoint) {
        if (seen.empty()) thread.submit(one.task);
        yieldPoint.pause();  // between layers
        seen.push_back(toldBy(one));
        return seen.size() < 6;
      },
      [&](std::exception_ptr) { done.set_value(); }));
  done.get_future().wait();
  thread.cancel(*one.task);
  CHECK_EQ(seen[0], size_t{1});
  for (size_t i = 1; i < seen.size(); ++i) CHECK(seen[i] > seen[i - 1] && seen[i] <= seen[i - 1] + 2);
}

TEST(scheduler_aLaterCallDoesNotWaitForALongOne) {
  const std::unique_ptr<Executor> model = std::make_unique<check::SmallExecutor>();
  ComputeThread thread({});
  const Pending longOne = request(model, endless(5));
  thread.submit(longOne.task);
  CHECK_EQ(alone(thread, model, call(1, 6, false)).size(), size_t{1});  // or it hangs
  thread.cancel(*longOne.task);
}

TEST(scheduler_cancelledCallsLeaveTheirBatch) {
  auto small = std::make_unique<check::SmallExecutor>();
  check::SmallExecutor& network = *small;
  const std::unique_ptr<Executor> model = std::move(small);
  ComputeThread thread({});
  auto other = call(1, 6, false, 30);
  other.options[0].minNewTokens = 30;
  const Pending stays = request(model, other);
  Pending leaves;
  auto left = std::make_shared<std::promise<Tokens>>();
  leaves.result = left->get_future().share();
  auto given = endless(5, 40);
  given.onToken = [&](int64_t, int32_t) { thread.cancel(*leaves.task); };  // by its first token
  leaves.task = std::make_shared<GenerateRequest>(
      model, given, [left](std::exception_ptr, const GenerateRequest::Answers&) { left->set_value({}); });
  runTogether(thread, {leaves, stays});
  CHECK_EQ(stays.result.get()[0].size(), size_t{30});
  CHECK(network.stepped <= 2 * 41 + 30);  // and not 30 tokens of all 41 rows
}

TEST(scheduler_aCallOfABatchIsDoneWhenItsOwnRowsAre) {
  const std::unique_ptr<Executor> model = std::make_unique<check::SmallExecutor>();
  ComputeThread thread({});
  const Pending longOne = request(model, endless(5)), shortOne = request(model, call(2, 6, true, 3));
  submitTogether(thread, {longOne, shortOne});
  CHECK_EQ(shortOne.result.get().size(), size_t{2});  // or it hangs
  thread.cancel(*longOne.task);
}

// Calls that come while others are being decoded, on the network whose batches they can join: each gets what it gets
// alone, and no encoder pass more.
TEST(scheduler_callsThatComeLaterJoinTheBatch) {
  auto loaded = fixture::load(fixture::folder("t5-v1.1"));
  const std::unique_ptr<Executor> model = std::move(loaded.executor);
  ComputeThread thread({});
  std::mt19937 random(7);
  const auto make = [&](int64_t rows, int64_t numBeams) {
    GenerateRequest::Call made;
    made.rows.prompts = {check::uniform(random, {5, model->config().dModel}, 1.0)};
    for (int64_t i = 0; i < rows; ++i) {
      std::vector<int32_t> ids(3 + random() % 20);
      for (int32_t& id : ids) id = static_cast<int32_t>(2 + random() % (model->config().vocabSize - 2));
      made.rows.inputs.append(ids);
      made.rows.promptOfRow.push_back(i % 2 - 1);
      GenerateOptions options{.maxNewTokens = 10 + static_cast<int64_t>(random() % 30)};
      options.minNewTokens = options.maxNewTokens / 2;
      options.numBeams = numBeams;
      made.options.push_back(options);
    }
    return made;
  };
  std::vector<GenerateRequest::Call> calls;
  for (int64_t i = 0; i < 9; ++i) calls.push_back(make(1 + i % 3, i % 4 == 3 ? 3 : 1));
  calls[5].rows.inputs.append(std::vector<int32_t>{1'000'000});  // this one fails, alone
  calls[5].rows.promptOfRow.push_back(-1);
  calls[5].options.push_back({});
  std::vector<Tokens> expected;
  for (size_t i = 0; i < calls.size(); ++i) expected.push_back(i == 5 ? Tokens() : alone(thread, model, calls[i]));

  // The first call's third token submits the second call, and so on: each comes into a running batch.
  std::vector<Pending> pending(calls.size());
  for (size_t i = calls.size(); i-- > 0;) {
    pending[i] = request(model, calls[i]);
  }
  int64_t tokens = 0;
  size_t next = 1;
  auto first = endless(5);
  first.rows = make(1, 1).rows;
  first.onToken = [&](int64_t, int32_t) {
    if (++tokens % 3 == 0 && next < pending.size()) thread.submit(pending[next++].task);
  };
  const auto leads = std::make_shared<GenerateRequest>(
      model, first, GenerateRequest::OnDone([](std::exception_ptr, const GenerateRequest::Answers&) {}));
  thread.submit(leads);
  thread.submit(pending[0].task);
  for (size_t i = 0; i < pending.size(); ++i) {
    if (i == 5) {
      CHECK_THROWS(pending[i].result.get(), "TOKEN_OUT_OF_RANGE");
    } else {
      CHECK(pending[i].result.get() == expected[i]);
      CHECK(*pending[i].told == expected[i]);
    }
  }
  thread.cancel(*leads);
}

TEST(decoding_takesRowsInBetweenTokens) {
  const auto loaded = fixture::load(fixture::folder("t5-v1.1"));
  softprompt::NeverYields never;
  softprompt::Decoding decoding(*loaded.executor);
  const auto add = [&](int64_t rows, int64_t tokens) {
    softprompt::PromptedRows made;
    for (int64_t i = 0; i < rows; ++i) {
      made.inputs.append(std::vector<int32_t>{5, 6, static_cast<int32_t>(7 + i)});
      made.promptOfRow.push_back(-1);
    }
    decoding.add(made, std::vector<GenerateOptions>(rows, {.maxNewTokens = tokens, .minNewTokens = tokens}));
  };
  const auto steps = [&](int64_t count) {
    for (int64_t i = 0; i < count; ++i) decoding.step(never);
  };
  add(1, 40);
  steps(5);
  add(2, 3);
  CHECK_EQ(decoding.lanes(), 3);
  steps(2);
  CHECK(!decoding.isDone(1));
  steps(1);
  CHECK(decoding.isDone(1) && decoding.isDone(2) && !decoding.isDone(0));
  add(70, 2);  // 63 of them at once; the others once a quarter of the batch is free
  steps(2);
  CHECK(decoding.isDone(65) && !decoding.isDone(66));
  steps(2);
  CHECK(decoding.isDone(72) && !decoding.isDone(0));
  steps(40 - 5 - 3 - 4);
  CHECK(decoding.isDone(0));
}
