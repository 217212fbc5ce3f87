#include "core/train/objective.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <numeric>
#include <string>

#include "core/prompt/prefix.h"
#include "core/runtime/error.h"
#include "core/train/batch.h"
#include "core/train/cross_entropy.h"

namespace softprompt {
namespace {

// Lengths are rounded up so that a run sees few shapes (the maths libraries cache one plan a shape).
constexpr int64_t kInputBucket = 8;
constexpr int64_t kTargetBucket = 4;

}  // namespace

Objective promptObjective(Executor& model, const TrainingSet& data, const std::vector<int64_t>& which,
                          const at::Tensor& prompt, const LossOptions& loss, Pass& pass) {
  const at::AutoGradMode withGradient(true);
  const at::Device device = model.device();
  const at::Tensor leaf = prompt.detach().to(device).requires_grad_(true);
  const std::vector<int32_t> promptOfRow(data.inputs.size(), 0);
  const EncoderInput input = prefixed(model, data.inputs, which, {leaf}, promptOfRow, kInputBucket);
  const DecoderTargets targets = decoderTargets(data.targets, which, model.config(), kTargetBucket);

  const Encoded encoded = model.encode(input.embeds, input.mask, pass);
  const at::Tensor decoded = model.decode(targets.decoderIds.to(device), encoded, pass);
  const at::Tensor hidden = decoded.flatten(0, 1).index_select(0, targets.positions.to(device));  // [N, d]
  const CrossEntropy entropy = crossEntropy(model, hidden.detach(), targets.ids.to(device), loss, pass.yieldPoint);

  Objective result;
  result.loss = entropy.loss;
  result.negativeLogProb = entropy.negativeLogProb;
  for (const int64_t row : which) result.inputTokens += data.inputs.length(row);
  result.targetTokens = targets.ids.numel();
  result.gradient = torch::autograd::grad({hidden}, {leaf}, {entropy.hiddenGradient})[0].to(at::kCPU, at::kFloat);
  return result;
}

void checkTrainingSet(const TrainingSet& data, const T5Config& config) {
  if (data.targets.size() == 0) throw Error("DATA_EMPTY", "the training set has no rows");
  if (data.inputs.size() != data.targets.size()) {
    throw Error("DATA_ROW_INVALID", "the training set has " + std::to_string(data.inputs.size()) + " inputs but " +
                                        std::to_string(data.targets.size()) + " targets");
  }
  for (int64_t row = 0; row < data.targets.size(); ++row) {
    if (data.targets.length(row) == 0) {
      throw Error("DATA_TARGET_EMPTY", "row " + std::to_string(row) + " has no target tokens: give it a target");
    }
  }
  std::vector<int64_t> all(data.inputs.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  checkTokens(data.inputs, all, config.vocabSize, "input");
  checkTokens(data.targets, all, config.vocabSize, "target");
}

}  // namespace softprompt
