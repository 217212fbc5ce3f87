// Merged generate calls: each gets what it would get alone, and its own tokens.
#include "core/generate/scheduler.h"

#include <future>
#include <map>

#include "check.h"
#include "small_executor.h"

namespace {

using softprompt::ComputeThread;
using softprompt::Executor;
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
  const auto onDone = [promise](std::exception_ptr failure, std::vector<Generation> generations) {
    if (failure) return promise->set_exception(failure);
    Tokens tokens;
    for (const Generation& generation : generations) tokens.push_back(generation.tokens);
    promise->set_value(tokens);
  };
  pending.task = std::make_shared<GenerateRequest>(model, std::move(given), onDone);
  return pending;
}

// Runs all as they wait behind something else.
void runTogether(ComputeThread& thread, const std::vector<Pending>& requests) {
  std::promise<void> entered, release;
  thread.submit(std::make_shared<FunctionTask>(
      TaskKind::kRequest,
      [&](YieldPoint&) {
        entered.set_value();
        release.get_future().wait();
        return false;
      },
      [](std::exception_ptr) {}));
  entered.get_future().wait();
  for (const Pending& one : requests) thread.submit(one.task);
  release.set_value();
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

TEST(scheduler_aBatchHasAtMost64Rows) {
  const std::unique_ptr<Executor> model = std::make_unique<check::SmallExecutor>();
  const std::unique_ptr<Executor> other = std::make_unique<check::SmallExecutor>();
  GenerateRequest first(model, call(40, 5, false), {}), more(model, call(25, 6, false), {}),
      few(model, call(24, 7, false), {}), one(model, call(1, 8, false), {}), foreign(other, call(1, 8, false), {});
  CHECK(!first.absorb(more));
  CHECK(!first.absorb(foreign));
  CHECK(first.absorb(few));
  CHECK(!first.absorb(one));
}
