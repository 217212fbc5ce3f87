#include "core/train/run_checkpoint.h"

#include <cstdio>

#include "core/runtime/error.h"

namespace softprompt {
namespace {

const std::string kOptimizerPrefix = "optimizer.";

std::string promptShapeText(at::IntArrayRef shape) {
  return std::to_string(shape[0]) + " x " + std::to_string(shape[1]);
}

// FNV-1a over the ids and the rows' bounds.
class Fnv {
 public:
  void add(const TokenRows& rows) {
    for (const int32_t id : rows.ids) addWord(static_cast<uint32_t>(id));
    for (const int64_t offset : rows.offsets) addWord(static_cast<uint64_t>(offset));
  }
  void add(const std::vector<int32_t>& words) {
    for (const int32_t word : words) addWord(static_cast<uint32_t>(word));
  }
  std::string hex() const {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash_));
    return text;
  }

 private:
  void addWord(uint64_t word) {
    for (int shift = 0; shift < 64; shift += 8) hash_ = (hash_ ^ (word >> shift & 0xff)) * 0x100000001b3;
  }
  uint64_t hash_ = 0xcbf29ce484222325;
};

void takeTensor(LearnedPrompt::Tensors& run, const std::string& name, at::Tensor tensor) {
  if (name == "prompt") run.prompt = std::move(tensor);
  if (name == "average") run.average = std::move(tensor);
  if (name.starts_with(kOptimizerPrefix)) run.optimizer[name.substr(kOptimizerPrefix.size())] = tensor;
}

void checkRows(const at::Tensor& tensor, const std::string& name, const std::string& shape, const std::string& path) {
  if (!tensor.defined()) invalidStateFile(path, "the tensor '" + name + "' is missing");
  if (tensor.scalar_type() != at::kFloat || tensor.dim() != 2 || promptShapeText(tensor.sizes()) != shape) {
    invalidStateFile(path, "the tensor '" + name + "' is not float32 [" + shape + "]");
  }
}

}  // namespace

RunIdentity runIdentity(const TuneOptions& options, const TrainingSet& data,
                        const std::vector<LearnedPrompt>& prompts) {
  Fnv hash;
  hash.add(data.inputs);
  hash.add(data.targets);
  hash.add(data.runOfRow);
  RunIdentity identity{{"data", std::to_string(data.inputs.size()) + " rows " + hash.hex()},
                       {"model", options.fingerprint},
                       {"batchSize", std::to_string(options.batchSize)},
                       {"shuffle", options.shuffle ? "true" : "false"},
                       {"dropout", exactText(options.dropout)},
                       {"seed", std::to_string(options.seed)}};
  identity.merge(lossIdentity(options.loss));
  const Schedule schedule = options.optimizer.schedule;
  if (schedule == Schedule::kLinear || schedule == Schedule::kCosine) {
    identity["steps"] = std::to_string(options.steps);
  }
  if (options.microBatchSize > 0) identity["microBatchSize"] = std::to_string(options.microBatchSize);
  identity.merge(optimizerIdentity(options.optimizer));
  for (const LearnedPrompt& learned : prompts) {
    identity[learned.name() + "prompt"] = promptShapeText(learned.prompt().sizes());
    identity[learned.name() + "optimizer.learningRate"] = exactText(learned.options().learningRate);
    if (learned.seed() != options.seed) identity[learned.name() + "promptSeed"] = std::to_string(learned.seed());
  }
  return identity;
}

void writeRunCheckpoint(const std::string& path, const RunCheckpoint& checkpoint,
                        const std::vector<LearnedPrompt>& prompts) {
  StateFile state{checkpoint.identity, checkpoint.step, checkpoint.rowsAtOnce, checkpoint.notes, {}};
  for (const LearnedPrompt& learned : prompts) {
    const std::string& prefix = learned.name();
    const auto [prompt, average, optimizer] = learned.tensors();
    state.tensors.emplace_back(prefix + "prompt", prompt);
    if (average.defined()) state.tensors.emplace_back(prefix + "average", average);
    for (const auto& [name, tensor] : optimizer) state.tensors.emplace_back(prefix + kOptimizerPrefix + name, tensor);
  }
  writeStateFile(path, state);
}

RunCheckpoint readRunCheckpoint(const std::string& path, const RunIdentity& expected,
                                const std::vector<LearnedPrompt>& prompts) {
  StateFile state = readStateFile(path, expected);
  RunCheckpoint checkpoint{std::move(state.identity), state.step, state.rowsAtOnce, {}, std::move(state.notes)};
  for (const LearnedPrompt& learned : prompts) {
    const std::string& prefix = learned.name();
    LearnedPrompt::Tensors own;
    for (const auto& [name, tensor] : state.tensors) {
      if (name.starts_with(prefix)) takeTensor(own, name.substr(prefix.size()), tensor);
    }
    const std::string shape = promptShapeText(learned.prompt().sizes());
    checkRows(own.prompt, prefix + "prompt", shape, path);
    if (learned.options().averageDecay > 0) checkRows(own.average, prefix + "average", shape, path);
    checkpoint.prompts.push_back(std::move(own));
  }
  return checkpoint;
}

}  // namespace softprompt
