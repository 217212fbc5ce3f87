// Generate calls are decoded as one batch, whatever their prompts and options: those that wait at the same time, and
// those that come while it is being decoded.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/generate/generate.h"
#include "core/runtime/compute_thread.h"

namespace softprompt {

// One call of generate as a task whose steps are tokens. The one that runs first takes others along as long as they fit
// into its batch, whenever they come; results and tokens go back to each. Rows of calls that were cancelled leave the
// batch.
class GenerateRequest final : public Task {
 public:
  struct Call {
    PromptedRows rows;
    std::vector<GenerateOptions> options;  // one a row
    OnToken onToken;                       // rows are the call's own; may be empty
  };
  using Answers = std::vector<std::vector<Generation>>;  // of each row
  using OnDone = std::function<void(std::exception_ptr failure, Answers answers)>;

  // `model` is where the executor is by the time that the request runs, on the compute thread.
  GenerateRequest(const std::unique_ptr<Executor>& model, Call call, OnDone onDone);

  bool step(YieldPoint& yieldPoint) override;
  bool isLong() const override { return true; }
  bool absorb(const std::shared_ptr<Task>& other) override;
  bool isDone() const override { return rowsLeft_ == 0; }

  // From any thread: row `row` has all that it needs and ends with the tokens that it then has (Decoding::finish).
  void finishRow(int64_t row);

 private:
  // A row of the batch is row `row` of `request`.
  struct Place {
    GenerateRequest* request;
    int64_t row;
    bool isCollected = false;
  };
  // Of the one that leads.
  struct Run {
    std::vector<std::shared_ptr<GenerateRequest>> companions;
    std::vector<Place> places;
    std::unique_ptr<Decoding> decoding;
  };

  int64_t size() const { return call_.rows.inputs.size(); }
  int64_t lanes() const;
  bool hasRoomFor(const GenerateRequest& request) const;
  void takeIn(GenerateRequest& request);
  void takeInAbsorbed();
  void dropSettled();
  void finishRows();
  void collect();
  void deliver(int64_t row, int32_t token);

  const std::unique_ptr<Executor>& model_;
  Call call_;
  Answers answers_;
  int64_t rowsLeft_;                                        // without answer
  std::vector<int64_t> delivered_;                          // tokens of each row that onToken has had, over all runs
  std::vector<int64_t> made_;                               // tokens of each row in the run that goes on
  std::vector<std::shared_ptr<GenerateRequest>> absorbed_;  // and not taken in yet
  std::unique_ptr<Run> run_;
  std::mutex finishedMutex_;
  std::vector<int64_t> finished_;  // rows that finishRow named since the last step
};

}  // namespace softprompt
