// Generate calls that wait at the same time are decoded as one batch, whatever their prompts and options.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/generate/generate.h"
#include "core/runtime/compute_thread.h"

namespace softprompt {

// One call of generate as a task. Where it runs first of several that wait, it takes those along that fit into its
// batch; results and tokens go back to each.
class GenerateRequest final : public Task {
 public:
  struct Call {
    PromptedRows rows;
    std::vector<GenerateOptions> options;  // one a row
    OnToken onToken;                       // rows are the call's own; may be empty
  };
  using OnDone = std::function<void(std::exception_ptr failure, std::vector<Generation> generations)>;

  // `model` is where the executor is by the time that the request runs, on the compute thread.
  GenerateRequest(const std::unique_ptr<Executor>& model, Call call, OnDone onDone);

  bool step(YieldPoint& yieldPoint) override;
  bool absorb(Task& other) override;

 private:
  // A row of the batch is row `row` of `request`.
  struct Place {
    GenerateRequest* request;
    int64_t row;
  };

  int64_t size() const { return call_.rows.inputs.size(); }
  Call batch(std::vector<Place>& places);
  void deliver(int64_t row, int32_t token);

  const std::unique_ptr<Executor>& model_;
  Call call_;
  std::vector<Generation> generations_;
  std::vector<int64_t> delivered_;            // tokens of each row that onToken has had, over all runs
  std::vector<int64_t> made_;                 // tokens of each row in the run that goes on
  std::vector<GenerateRequest*> companions_;  // absorbed for the next step; the compute thread keeps them alive
};

}  // namespace softprompt
