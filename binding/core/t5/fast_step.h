// One decoded token of a batch in the fast executor: the decoder's layers on one position a lane, by a team of threads.
// What a lane gets is the same to the bit whatever other lanes there are.
//
// Letters: B lanes, d d_model, i heads x d_kv, V vocabulary.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

#include "core/runtime/team.h"
#include "core/t5/fast_stacks.h"
#include "core/t5/step_cache.h"

namespace softprompt {

class FastStep {
 public:
  // Gives, for each block, the bias [1, H, 1, n] of the query at position n - 1 to keys 0 .. n - 1, float32.
  using BiasesOf = std::function<std::vector<at::Tensor>(int64_t positions)>;

  // `model` outlives it. embedding, head: [V, d].
  FastStep(const FastModel& model, at::Tensor embedding, at::Tensor head, BiasesOf biasesOf);

  // encoded [N, d]: the rows end to end as `packing` has them.
  std::unique_ptr<StepCache> start(const at::Tensor& encoded, const Packing& packing, YieldPoint& yieldPoint);
  at::Tensor step(const at::Tensor& ids, StepCache& cache, YieldPoint& yieldPoint);  // int64 [B] -> [B, d]
  void weightsChanged() { biases_.clear(); }
  at::Tensor logits(const at::Tensor& hidden);  // [n, d] of the model's dtype -> float32 [n, V]

 private:
  template <class T>
  void project(const at::Tensor& encoded, const Packing& packing, int64_t layer, StepCache& cache);
  template <class T>
  at::Tensor stepAs(at::Tensor hidden, StepCache& cache, YieldPoint& yieldPoint);
  template <class T>
  at::Tensor logitsAs(const at::Tensor& hidden);
  Team& team();
  std::vector<at::Tensor> biasesFor(int64_t positions);

  const FastModel& model_;
  const at::Tensor embedding_, head_;
  const BiasesOf biasesOf_;
  std::unique_ptr<Team> team_;
  std::vector<at::Tensor> biases_;  // of as many positions as were asked for so far, doubled
};

}  // namespace softprompt
