#include "core/train/run_checkpoint.h"

#include <charconv>
#include <cstdio>

#include "core/checkpoint/safetensors.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

constexpr const char* kFormat = "softprompt-checkpoint";
constexpr const char* kVersion = "1";
const std::string kIdentityPrefix = "run.";
const std::string kOptimizerPrefix = "optimizer.";

std::string exact(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

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

const char* nameOf(Schedule schedule) {
  constexpr const char* kNames[] = {"constant", "linear", "cosine", "inverseSqrt"};
  return kNames[static_cast<int>(schedule)];
}

RunIdentity optimizerIdentity(const OptimizerOptions& o) {
  RunIdentity identity{
      {"optimizer.weightDecay", exact(o.weightDecay)},          {"optimizer.schedule", nameOf(o.schedule)},
      {"optimizer.warmupSteps", std::to_string(o.warmupSteps)}, {"optimizer.epsilon", exact(o.epsilon)},
      {"optimizer.maxGradientNorm", exact(o.maxGradientNorm)},  {"optimizer.averageDecay", exact(o.averageDecay)}};
  if (o.kind == OptimizerKind::kAdafactor) {
    identity.merge(RunIdentity{{"optimizer.name", "adafactor"},
                               {"optimizer.clipThreshold", exact(o.clipThreshold)},
                               {"optimizer.decayRate", exact(o.decayRate)},
                               {"optimizer.initialStep", std::to_string(o.initialStep)},
                               {"optimizer.minDimSizeToFactor", std::to_string(o.minDimSizeToFactor)}});
  } else if (o.kind == OptimizerKind::kMuon) {
    identity.merge(RunIdentity{{"optimizer.name", "muon"}, {"optimizer.momentum", exact(o.momentum)}});
  } else {
    identity.merge(RunIdentity{
        {"optimizer.name", "adamw"}, {"optimizer.beta1", exact(o.beta1)}, {"optimizer.beta2", exact(o.beta2)}});
  }
  return identity;
}

std::string described(const RunIdentity& identity, const std::string& name) {
  const auto found = identity.find(name);
  return found == identity.end() ? "not set" : found->second;
}

// "batchSize is 16, was 32; seed is 1, was 0", empty where they agree.
std::string differences(const RunIdentity& now, const RunIdentity& saved) {
  RunIdentity names = now;
  names.insert(saved.begin(), saved.end());
  std::string text;
  for (const auto& [name, _] : names) {
    const std::string is = described(now, name), was = described(saved, name);
    if (is != was) text += (text.empty() ? "" : "; ") + name + " is " + is + ", was " + was;
  }
  return text;
}

[[noreturn]] void invalid(const std::string& path, const std::string& what) {
  throw Error("CHECKPOINT_INVALID", path + ": " + what + "; start a new run, or resume from another checkpoint");
}

const std::string& required(const Metadata& metadata, const std::string& key, const std::string& path) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) invalid(path, "the metadata '" + key + "' is missing");
  return found->second;
}

void takeTensor(LearnedPrompt::Tensors& run, const std::string& name, at::Tensor tensor) {
  if (name == "prompt") run.prompt = std::move(tensor);
  if (name == "average") run.average = std::move(tensor);
  if (name.starts_with(kOptimizerPrefix)) run.optimizer[name.substr(kOptimizerPrefix.size())] = tensor;
}

// A number of at least 0.
int64_t numberOf(const std::string& text, const std::string& name, const std::string& path) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    invalid(path, name + " is '" + text + "'");
  }
  return number;
}

RunCheckpoint parsed(const SafetensorsFile& file, const std::vector<LearnedPrompt>& prompts) {
  const std::string& path = file.path();
  const Metadata& metadata = file.metadata();
  if (required(metadata, "format", path) != kFormat) invalid(path, "this is not a tuning run's checkpoint");
  if (const std::string& version = required(metadata, "version", path); version != kVersion) {
    invalid(path, "this is a checkpoint of version " + version + ", not " + kVersion);
  }
  RunCheckpoint checkpoint;
  checkpoint.step = numberOf(required(metadata, "step", path), "step", path);
  if (const auto rows = metadata.find("rowsAtOnce"); rows != metadata.end()) {
    checkpoint.rowsAtOnce = numberOf(rows->second, "rowsAtOnce", path);
  }
  checkpoint.notes = required(metadata, "notes", path);
  for (const auto& [key, value] : metadata) {
    if (key.starts_with(kIdentityPrefix)) checkpoint.identity[key.substr(kIdentityPrefix.size())] = value;
  }
  for (const LearnedPrompt& learned : prompts) {
    const std::string& prefix = learned.name();
    LearnedPrompt::Tensors& own = checkpoint.prompts.emplace_back();
    for (const TensorInfo& info : file.tensors()) {
      if (info.name.starts_with(prefix)) takeTensor(own, info.name.substr(prefix.size()), file.read(info.name));
    }
  }
  return checkpoint;
}

RunCheckpoint readParsed(const std::string& path, const std::vector<LearnedPrompt>& prompts) {
  try {
    return parsed(SafetensorsFile(path), prompts);
  } catch (const Error& error) {
    if (error.code().starts_with("SAFETENSORS_") || error.code() == "MODEL_TENSOR_DTYPE") invalid(path, error.what());
    throw;
  }
}

void checkRows(const at::Tensor& tensor, const std::string& name, const std::string& shape, const std::string& path) {
  if (!tensor.defined()) invalid(path, "the tensor '" + name + "' is missing");
  if (tensor.scalar_type() != at::kFloat || tensor.dim() != 2 || promptShapeText(tensor.sizes()) != shape) {
    invalid(path, "the tensor '" + name + "' is not float32 [" + shape + "]");
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
                       {"dropout", exact(options.dropout)},
                       {"seed", std::to_string(options.seed)},
                       {"loss.reduction", options.loss.reduction == Reduction::kSum ? "sum" : "mean"},
                       {"loss.zLoss", exact(options.loss.zLoss)},
                       {"loss.labelSmoothing", exact(options.loss.labelSmoothing)}};
  const Schedule schedule = options.optimizer.schedule;
  if (schedule == Schedule::kLinear || schedule == Schedule::kCosine) {
    identity["steps"] = std::to_string(options.steps);
  }
  if (options.microBatchSize > 0) identity["microBatchSize"] = std::to_string(options.microBatchSize);
  identity.merge(optimizerIdentity(options.optimizer));
  for (const LearnedPrompt& learned : prompts) {
    identity[learned.name() + "prompt"] = promptShapeText(learned.prompt().sizes());
    identity[learned.name() + "optimizer.learningRate"] = exact(learned.options().learningRate);
    if (learned.seed() != options.seed) identity[learned.name() + "promptSeed"] = std::to_string(learned.seed());
  }
  return identity;
}

void writeRunCheckpoint(const std::string& path, const RunCheckpoint& checkpoint,
                        const std::vector<LearnedPrompt>& prompts) {
  NamedTensors tensors;
  for (const LearnedPrompt& learned : prompts) {
    const std::string& prefix = learned.name();
    const auto [prompt, average, optimizer] = learned.tensors();
    tensors.emplace_back(prefix + "prompt", prompt);
    if (average.defined()) tensors.emplace_back(prefix + "average", average);
    for (const auto& [name, tensor] : optimizer) tensors.emplace_back(prefix + kOptimizerPrefix + name, tensor);
  }
  Metadata metadata{{"format", kFormat},
                    {"version", kVersion},
                    {"step", std::to_string(checkpoint.step)},
                    {"notes", checkpoint.notes}};
  if (checkpoint.rowsAtOnce > 0) metadata["rowsAtOnce"] = std::to_string(checkpoint.rowsAtOnce);
  for (const auto& [name, value] : checkpoint.identity) metadata[kIdentityPrefix + name] = value;
  writeSafetensors(path, tensors, metadata);
}

RunCheckpoint readRunCheckpoint(const std::string& path, const RunIdentity& expected,
                                const std::vector<LearnedPrompt>& prompts) {
  RunCheckpoint checkpoint = readParsed(path, prompts);
  if (const std::string difference = differences(expected, checkpoint.identity); !difference.empty()) {
    throw Error("CHECKPOINT_MISMATCH", path + " belongs to another run: " + difference +
                                           ". Resume with the settings it was made with, or start a new run");
  }
  for (size_t i = 0; i < prompts.size(); ++i) {
    const std::string& prefix = prompts[i].name();
    const std::string shape = promptShapeText(prompts[i].prompt().sizes());
    checkRows(checkpoint.prompts[i].prompt, prefix + "prompt", shape, path);
    if (prompts[i].options().averageDecay > 0)
      checkRows(checkpoint.prompts[i].average, prefix + "average", shape, path);
  }
  return checkpoint;
}

}  // namespace softprompt
