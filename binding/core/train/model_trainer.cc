#include "core/train/model_trainer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "core/checkpoint/file_lock.h"
#include "core/runtime/error.h"
#include "core/t5/trainable.h"
#include "core/t5/trainable_model.h"
#include "core/train/batch.h"
#include "core/train/cross_entropy.h"
#include "core/train/dropout.h"
#include "core/train/objective.h"
#include "core/train/optimizer.h"
#include "core/train/state_file.h"
#include "core/train/weight_average.h"

namespace softprompt {
namespace {

const std::string kWeights = "weights.", kKept = "kept.", kAverage = "average.", kOptimizer = "optimizer.";

// Beyond this squares are not float32 numbers any more.
constexpr double kLargestNorm = 1e18;

// Logits at once. Each chunk adds to the whole of the head's gradient, so that it has a number of tokens at least.
constexpr int64_t kChunkLogits = 1 << 22, kChunkTokens = 256;

int64_t tokensOf(const TokenRows& rows) {
  return static_cast<int64_t>(rows.ids.size());
}

void checkBatch(const TokenRows& inputs, const TokenRows& targets, const T5Config& config) {
  checkTrainingSet({inputs, targets, {}}, config);
  for (int64_t row = 0; row < inputs.size(); ++row) {
    if (inputs.length(row) > 0) continue;
    throw Error("DATA_ROW_INVALID", "row " + std::to_string(row) + " has no input tokens: give it an input");
  }
}

// Rows first .. first + count - 1 of a batch.
std::vector<int64_t> rowsFrom(int64_t first, int64_t count) {
  std::vector<int64_t> rows(count);
  std::iota(rows.begin(), rows.end(), first);
  return rows;
}

}  // namespace

struct ModelTrainer::State {
  LoadedModel& model;
  ModelTrainerOptions options;
  std::string fingerprint;  // of the weights that the run began with
  std::unique_ptr<Trainable> network;
  WeightOptimizer optimizer;
  WeightAverage average;
  NamedTensors kept;  // empty: none
  int64_t step = 0;   // steps done
  std::optional<FileLock> claimed;

  RunIdentity identity() const;
  TrainLoss pass(const TokenRows& inputs, const TokenRows& targets, const std::vector<int64_t>& rows,
                 YieldPoint& yieldPoint);
  std::string complaint(double loss, double norm, double rate) const;
  NamedTensors restoredWeights(const std::map<std::string, at::Tensor>& tensors, const std::string& prefix,
                               const std::string& path) const;
};

RunIdentity ModelTrainer::State::identity() const {
  RunIdentity identity{{"learns", "all weights"},
                       {"model", fingerprint},
                       {"dtype", c10::toString(model.executor->dtype())},
                       {"seed", std::to_string(options.seed)},
                       {"dropout", exactText(options.dropout)},
                       {"microBatchSize", std::to_string(options.microBatchSize)},
                       {"optimizer.learningRate", exactText(options.rule.optimizer.learningRate)},
                       {"optimizer.parameterScaling", options.rule.parameterScaling ? "true" : "false"}};
  const Schedule schedule = options.rule.optimizer.schedule;
  if (schedule == Schedule::kLinear || schedule == Schedule::kCosine) {
    identity["steps"] = std::to_string(options.steps);
  }
  identity.merge(lossIdentity(options.loss));
  identity.merge(optimizerIdentity(options.rule.optimizer));
  return identity;
}

// Forward and backward of some rows; adds to the gradients.
TrainLoss ModelTrainer::State::pass(const TokenRows& inputs, const TokenRows& targets, const std::vector<int64_t>& rows,
                                    YieldPoint& yieldPoint) {
  std::vector<DropoutRow> dropoutRows;
  for (const int64_t row : rows) dropoutRows.push_back({options.seed, row});
  const StepDropout dropout(options.dropout, step, std::move(dropoutRows));
  Pass through{yieldPoint, options.dropout > 0 ? &dropout : nullptr};
  const T5Config& config = model.executor->config();
  const at::Device device = model.executor->device();
  const EncoderIds encoder = encoderIds(inputs, rows, config, kInputBucket);
  const DecoderTargets decoder = decoderTargets(targets, rows, config, kTargetBucket);
  const at::Tensor hidden = network->forward(
      {encoder.ids.to(device), encoder.mask.to(device), decoder.decoderIds.to(device), decoder.positions.to(device)},
      through);
  const LogitsOf logitsOf = [&](const at::Tensor& chunk) { return network->logits(chunk); };
  const int64_t chunkLogits = std::max(kChunkLogits, kChunkTokens * config.vocabSize);
  const CrossEntropy entropy = crossEntropy(logitsOf, config.vocabSize, hidden, decoder.ids.to(device), options.loss,
                                            yieldPoint, tokensOf(targets), chunkLogits);
  network->backward(entropy.hiddenGradient);
  return {entropy.negativeLogProb, decoder.ids.numel()};
}

std::string ModelTrainer::State::complaint(double loss, double norm, double rate) const {
  const bool isLossBad = !std::isfinite(loss);
  if (!isLossBad && norm < kLargestNorm && std::isfinite(rate)) return "";
  return std::string(isLossBad ? "the loss is " : "the gradient's norm is ") + std::to_string(isLossBad ? loss : norm) +
         " at step " + std::to_string(step + 1) + " (learning rate " + std::to_string(rate) +
         "): try a learning rate a tenth of it, a warm-up, or a clipped norm";
}

// Those of `prefix`, checked to be of the masters' shapes.
NamedTensors ModelTrainer::State::restoredWeights(const std::map<std::string, at::Tensor>& tensors,
                                                  const std::string& prefix, const std::string& path) const {
  NamedTensors weights;
  for (const auto& [name, master] : model.masters) {
    const auto found = tensors.find(prefix + name);
    if (found == tensors.end()) invalidStateFile(path, "the tensor '" + prefix + name + "' is missing");
    if (found->second.scalar_type() != at::kFloat || !found->second.sizes().equals(master.sizes())) {
      invalidStateFile(path, "the tensor '" + prefix + name + "' has another shape or type than the model's");
    }
    weights.emplace_back(name, found->second);
  }
  return weights;
}

ModelTrainer::ModelTrainer(LoadedModel& model, const ModelTrainerOptions& options, YieldPoint& yieldPoint) {
  std::unique_ptr<Trainable> network = model.masters.empty() ? nullptr : model.executor->trainable();
  if (!network) {
    throw Error("MODEL_FROZEN", "a loaded model's weights never change: train a copy of it (trainable)");
  }
  state_ = std::unique_ptr<State>(new State{model,
                                            options,
                                            fingerprintOf(model, yieldPoint),
                                            std::move(network),
                                            WeightOptimizer(options.rule, model.masters, options.steps),
                                            WeightAverage(options.rule.optimizer.averageDecay, model.masters),
                                            {},
                                            0,
                                            {}});
}

ModelTrainer::~ModelTrainer() = default;

StepFigures ModelTrainer::step(const TokenRows& inputs, const TokenRows& targets, double rateFactor,
                               YieldPoint& yieldPoint) {
  State& state = *state_;
  state.average.requireOwn();
  checkBatch(inputs, targets, state.model.executor->config());
  for (const TrainableWeight& weight : state.network->weights()) weight.gradient.zero_();
  StepFigures result;
  result.step = state.step + 1;
  result.examples = inputs.size();
  result.inputTokens = tokensOf(inputs);
  result.targetTokens = tokensOf(targets);
  result.learningRate = rateFactor * learningRateAt(state.options.rule.optimizer, state.step, state.options.steps);
  const int64_t rows = inputs.size();
  const int64_t atOnce = state.options.microBatchSize > 0 ? std::min(state.options.microBatchSize, rows) : rows;
  double negativeLogProb = 0;
  for (int64_t from = 0; from < rows; from += atOnce) {
    negativeLogProb +=
        state.pass(inputs, targets, rowsFrom(from, std::min(atOnce, rows - from)), yieldPoint).negativeLogProb;
  }
  // Nothing pauses from here on: the weights move from one step to the next as a whole.
  const at::NoGradGuard noGrad;
  result.loss = negativeLogProb / static_cast<double>(result.targetTokens);
  std::vector<at::Tensor> gradients;
  for (const TrainableWeight& weight : state.network->weights()) gradients.push_back(weight.gradient);
  result.gradientNorm = state.optimizer.measure(gradients);
  result.diverged = state.complaint(result.loss, result.gradientNorm, result.learningRate);
  if (!result.diverged.empty()) return result;
  state.optimizer.update(state.step, rateFactor);
  state.average.add(state.step);
  refreshWeights(state.model);
  ++state.step;
  return result;
}

TrainLoss ModelTrainer::loss(const TokenRows& inputs, const TokenRows& targets, YieldPoint& yieldPoint) {
  State& state = *state_;
  Executor& model = *state.model.executor;
  checkBatch(inputs, targets, model.config());
  const at::NoGradGuard noGrad;
  TrainLoss result;
  const int64_t rows = inputs.size();
  const int64_t atOnce = state.options.microBatchSize > 0 ? std::min(state.options.microBatchSize, rows) : rows;
  for (int64_t from = 0; from < rows; from += atOnce) {
    const std::vector<int64_t> which = rowsFrom(from, std::min(atOnce, rows - from));
    const EncoderIds encoder = encoderIds(inputs, which, model.config(), kInputBucket);
    const DecoderTargets decoder = decoderTargets(targets, which, model.config(), kTargetBucket);
    Pass pass{yieldPoint};
    const Encoded encoded =
        model.encode(model.embed(encoder.ids.to(model.device())), encoder.mask.to(model.device()), pass);
    const at::Tensor decoded = model.decode(decoder.decoderIds.to(model.device()), encoded, pass);
    const at::Tensor hidden = decoded.flatten(0, 1).index_select(0, decoder.positions.to(model.device()));
    result.negativeLogProb += negativeLogProb(model, hidden, decoder.ids.to(model.device()), yieldPoint);
    result.targetTokens += decoder.ids.numel();
  }
  return result;
}

int64_t ModelTrainer::stepsDone() const {
  return state_->step;
}

void ModelTrainer::keep() {
  State& state = *state_;
  if (state.kept.empty()) {
    state.kept = copiesOf(state.model.masters);
  } else {
    copyInto(state.kept, state.model.masters);
  }
}

void ModelTrainer::recall() {
  State& state = *state_;
  if (state.kept.empty()) return;
  copyInto(state.model.masters, state.kept);
  refreshWeights(state.model);
}

void ModelTrainer::setBack() {
  State& state = *state_;
  state.average.requireOwn();
  recall();
  state.optimizer.reset();
  state.average.restart();
}

void ModelTrainer::exchange() {
  State& state = *state_;
  if (state.average.tensors().empty()) return;
  state.average.exchange();
  refreshWeights(state.model);
}

void ModelTrainer::claim(const std::string& path) {
  state_->claimed.emplace(path);
}

void ModelTrainer::release() {
  state_->claimed.reset();
}

void ModelTrainer::save(const std::string& path, const std::string& notes) const {
  const State& state = *state_;
  state.average.requireOwn();
  StateFile file{state.identity(), state.step, 0, notes, {}};
  const auto add = [&](const std::string& prefix, const NamedTensors& tensors) {
    for (const auto& [name, tensor] : tensors) file.tensors.emplace_back(prefix + name, tensor);
  };
  add(kWeights, state.model.masters);
  add(kOptimizer, state.optimizer.state());
  add(kAverage, state.average.tensors());
  add(kKept, state.kept);
  writeStateFile(path, file);
}

std::string ModelTrainer::restore(const std::string& path) {
  State& state = *state_;
  const StateFile file = readStateFile(path, state.identity());
  std::map<std::string, at::Tensor> tensors(file.tensors.begin(), file.tensors.end()), optimizer;
  const NamedTensors weights = state.restoredWeights(tensors, kWeights, path);
  const NamedTensors average =
      state.average.tensors().empty() ? NamedTensors{} : state.restoredWeights(tensors, kAverage, path);
  const auto firstKept = tensors.lower_bound(kKept);
  const bool hasKept = firstKept != tensors.end() && firstKept->first.starts_with(kKept);
  NamedTensors kept = hasKept ? state.restoredWeights(tensors, kKept, path) : NamedTensors{};
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(kOptimizer)) optimizer[name.substr(kOptimizer.size())] = tensor;
  }
  try {
    state.optimizer.restore(optimizer);  // the last that can fail
  } catch (const Error& error) {
    invalidStateFile(path, error.what());
  }
  copyInto(state.model.masters, weights);
  state.average.restore(average);
  state.kept = std::move(kept);
  state.step = file.step;
  refreshWeights(state.model);
  return file.notes;
}

}  // namespace softprompt
