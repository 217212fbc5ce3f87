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
#include "core/t5/executor.h"
#include "core/t5/fast_stacks.h"
#include "core/t5/step_cache.h"
#include "core/t5/step_weights.h"

namespace softprompt {

// Records nothing for gradients.
class FastStep {
 public:
  // Gives, for each block, the bias [1, H, 1, n] of the query at position n - 1 to keys 0 .. n - 1, float32.
  using BiasesOf = std::function<std::vector<at::Tensor>(int64_t positions)>;

  FastStep(const T5Config& config, StepWeights weights, BiasesOf biasesOf);

  const StepWeights& weights() const { return weights_; }

  // hidden [B, S, d], of which the packing's places are meant.
  std::unique_ptr<StepCache> start(const at::Tensor& hidden, const Packing& packing, YieldPoint& yieldPoint);
  at::Tensor step(const at::Tensor& ids, StepCache& cache, YieldPoint& yieldPoint);  // int64 [B] -> [B, d]
  void weightsChanged() { biases_.clear(); }
  at::Tensor logits(const at::Tensor& hidden);  // [n, d] of the model's dtype -> float32 [n, V]
  std::vector<float> logProbs(const at::Tensor& hidden, const std::vector<Pick>& picks);

 private:
  template <class T>
  void project(const at::Tensor& encoded, const Packing& packing, int64_t layer, StepCache& cache);
  template <class T>
  at::Tensor stepAs(at::Tensor hidden, StepCache& cache, YieldPoint& yieldPoint);
  template <class T>
  at::Tensor logitsAs(const at::Tensor& hidden);
  template <class T>
  std::vector<float> logProbsAs(const at::Tensor& hidden, const std::vector<Pick>& picks);
  bool isFloat() const { return weights_.embedding.scalar_type() == at::kFloat; }
  at::Tensor scaled(const at::Tensor& hidden) const;
  HeadShape heads() const { return {config_.numHeads, config_.dKv}; }
  Team& team();
  std::vector<at::Tensor> biasesFor(int64_t positions);

  const T5Config config_;
  const StepWeights weights_;
  const BiasesOf biasesOf_;
  std::unique_ptr<Team> team_;
  std::vector<at::Tensor> biases_;  // of as many positions as were asked for so far, doubled
};

}  // namespace softprompt
