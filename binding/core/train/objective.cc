#include "core/train/objective.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <string>

#include "core/prompt/prefix.h"
#include "core/runtime/error.h"
#include "core/train/batch.h"
#include "core/train/cross_entropy.h"
#include "core/train/dropout.h"

namespace softprompt {
namespace {

// Neighbouring rows of one part, within a pass.
struct Stretch {
  size_t part = 0;
  int64_t from = 0, to = 0;  // of the part's rows
};

// The parts' rows one after the other, `rowsAtOnce` a pass.
std::vector<std::vector<Stretch>> passesOf(const std::vector<PromptRows>& parts, int64_t rowsAtOnce) {
  std::vector<std::vector<Stretch>> passes(1);
  int64_t room = rowsAtOnce;
  for (size_t part = 0; part < parts.size(); ++part) {
    const auto rows = static_cast<int64_t>(parts[part].rows.size());
    for (int64_t from = 0; from < rows;) {
      if (rowsAtOnce > 0 && room == 0) {
        passes.emplace_back();
        room = rowsAtOnce;
      }
      const int64_t to = rowsAtOnce > 0 ? std::min(rows, from + room) : rows;
      passes.back().push_back({part, from, to});
      room -= to - from;
      from = to;
    }
  }
  return passes;
}

int64_t tokensOf(const TokenRows& tokens, std::span<const int64_t> rows) {
  int64_t sum = 0;
  for (const int64_t row : rows) sum += tokens.length(row);
  return sum;
}

class Batch {
 public:
  Batch(Executor& model, const TrainingSet& data, const std::vector<PromptRows>& parts, const ObjectiveOptions& options,
        YieldPoint& yieldPoint)
      : model_(model), data_(data), parts_(parts), options_(options), yieldPoint_(yieldPoint), results_(parts.size()) {
    for (size_t part = 0; part < parts.size(); ++part) {
      results_[part].inputTokens = tokensOf(data.inputs, parts[part].rows);
      results_[part].targetTokens = tokensOf(data.targets, parts[part].rows);
    }
  }

  // Forward and backward; adds to the results.
  void add(const std::vector<Stretch>& pass) {
    std::vector<at::Tensor> leaves;
    for (const Stretch& stretch : pass) {
      leaves.push_back(parts_[stretch.part].prompt.detach().to(model_.device()).requires_grad_(true));
    }
    std::vector<PrefixedRow> inputs;
    std::vector<int64_t> which;
    std::vector<DropoutRow> dropoutRows;
    for (size_t leaf = 0; leaf < pass.size(); ++leaf) {
      const PromptRows& part = parts_[pass[leaf].part];
      for (int64_t i = pass[leaf].from; i < pass[leaf].to; ++i) {
        inputs.push_back({part.rows[i], static_cast<int32_t>(leaf)});
        which.push_back(part.rows[i]);
        dropoutRows.push_back({part.seed, i});
      }
    }
    const StepDropout dropout(options_.dropout, options_.step, std::move(dropoutRows));
    Pass through{yieldPoint_, options_.dropout > 0 ? &dropout : nullptr};
    const EncoderInput input = prefixedRows(model_, data_.inputs, inputs, leaves, kInputBucket);
    const DecoderTargets targets = decoderTargets(data_.targets, which, model_.config(), kTargetBucket);

    const Encoded encoded = model_.encode(input.embeds, input.mask, through);
    const at::Tensor decoded = model_.decode(targets.decoderIds.to(model_.device()), encoded, through);
    const at::Tensor hidden =
        decoded.flatten(0, 1).index_select(0, targets.positions.to(model_.device()));  // [N, d], the stretches in order
    const at::Tensor hiddenGradient = addLosses(pass, hidden.detach(), targets.ids.to(model_.device()));
    const auto gradients = torch::autograd::grad({hidden}, leaves, {hiddenGradient});
    for (size_t leaf = 0; leaf < pass.size(); ++leaf) {
      addGradient(results_[pass[leaf].part], gradients[leaf].to(at::kCPU, at::kFloat));
    }
  }

  std::vector<Objective> results() && { return std::move(results_); }

 private:
  // hidden [N, d], ids [N]; gives the gradient at hidden.
  at::Tensor addLosses(const std::vector<Stretch>& pass, const at::Tensor& hidden, const at::Tensor& ids) {
    std::vector<at::Tensor> gradients;
    int64_t from = 0;
    for (const Stretch& stretch : pass) {
      const std::span<const int64_t> rows(parts_[stretch.part].rows);
      const int64_t to = from + tokensOf(data_.targets, rows.subspan(stretch.from, stretch.to - stretch.from));
      Objective& result = results_[stretch.part];
      const CrossEntropy entropy = crossEntropy(model_, hidden.slice(0, from, to), ids.slice(0, from, to),
                                                options_.loss, yieldPoint_, result.targetTokens);
      result.loss += entropy.loss;
      result.negativeLogProb += entropy.negativeLogProb;
      gradients.push_back(entropy.hiddenGradient);
      from = to;
    }
    return gradients.size() == 1 ? gradients[0] : at::cat(gradients);
  }

  static void addGradient(Objective& result, const at::Tensor& gradient) {
    result.gradient = result.gradient.defined() ? result.gradient.add(gradient) : gradient;
  }

  Executor& model_;
  const TrainingSet& data_;
  const std::vector<PromptRows>& parts_;
  const ObjectiveOptions& options_;
  YieldPoint& yieldPoint_;
  std::vector<Objective> results_;
};

}  // namespace

std::vector<Objective> promptObjectives(Executor& model, const TrainingSet& data, const std::vector<PromptRows>& parts,
                                        const ObjectiveOptions& options, YieldPoint& yieldPoint) {
  const at::AutoGradMode withGradient(true);
  Batch batch(model, data, parts, options, yieldPoint);
  for (const std::vector<Stretch>& pass : passesOf(parts, options.rowsAtOnce)) batch.add(pass);
  return std::move(batch).results();
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
