#include "core/train/state_file.h"

#include <charconv>

#include "core/runtime/error.h"

namespace softprompt {
namespace {

constexpr const char* kFormat = "softprompt-checkpoint";
constexpr const char* kVersion = "1";
const std::string kIdentityPrefix = "run.";

const char* nameOf(Schedule schedule) {
  constexpr const char* kNames[] = {"constant", "linear", "cosine", "inverseSqrt"};
  return kNames[static_cast<int>(schedule)];
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

const std::string& required(const Metadata& metadata, const std::string& key, const std::string& path) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) invalidStateFile(path, "the metadata '" + key + "' is missing");
  return found->second;
}

// A number of at least 0.
int64_t numberOf(const std::string& text, const std::string& name, const std::string& path) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    invalidStateFile(path, name + " is '" + text + "'");
  }
  return number;
}

StateFile parsed(const SafetensorsFile& file) {
  const std::string& path = file.path();
  const Metadata& metadata = file.metadata();
  if (required(metadata, "format", path) != kFormat) invalidStateFile(path, "this is not a tuning run's checkpoint");
  if (const std::string& version = required(metadata, "version", path); version != kVersion) {
    invalidStateFile(path, "this is a checkpoint of version " + version + ", not " + kVersion);
  }
  StateFile state;
  state.step = numberOf(required(metadata, "step", path), "step", path);
  if (const auto rows = metadata.find("rowsAtOnce"); rows != metadata.end()) {
    state.rowsAtOnce = numberOf(rows->second, "rowsAtOnce", path);
  }
  state.notes = required(metadata, "notes", path);
  for (const auto& [key, value] : metadata) {
    if (key.starts_with(kIdentityPrefix)) state.identity[key.substr(kIdentityPrefix.size())] = value;
  }
  for (const TensorInfo& info : file.tensors()) state.tensors.emplace_back(info.name, file.read(info.name));
  return state;
}

}  // namespace

void invalidStateFile(const std::string& path, const std::string& what) {
  throw Error("CHECKPOINT_INVALID", path + ": " + what + "; start a new run, or resume from another checkpoint");
}

std::string exactText(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

RunIdentity lossIdentity(const LossOptions& options) {
  return {{"loss.reduction", options.reduction == Reduction::kSum ? "sum" : "mean"},
          {"loss.zLoss", exactText(options.zLoss)},
          {"loss.labelSmoothing", exactText(options.labelSmoothing)}};
}

RunIdentity optimizerIdentity(const OptimizerOptions& o) {
  RunIdentity identity{{"optimizer.weightDecay", exactText(o.weightDecay)},
                       {"optimizer.schedule", nameOf(o.schedule)},
                       {"optimizer.warmupSteps", std::to_string(o.warmupSteps)},
                       {"optimizer.epsilon", exactText(o.epsilon)},
                       {"optimizer.averageDecay", exactText(o.averageDecay)},
                       {"optimizer.maxGradientNorm", exactText(o.maxGradientNorm)}};
  if (o.kind == OptimizerKind::kAdafactor) {
    identity.merge(RunIdentity{{"optimizer.name", "adafactor"},
                               {"optimizer.clipThreshold", exactText(o.clipThreshold)},
                               {"optimizer.decayRate", exactText(o.decayRate)},
                               {"optimizer.initialStep", std::to_string(o.initialStep)},
                               {"optimizer.minDimSizeToFactor", std::to_string(o.minDimSizeToFactor)}});
  } else if (o.kind == OptimizerKind::kMuon) {
    identity.merge(RunIdentity{{"optimizer.name", "muon"}, {"optimizer.momentum", exactText(o.momentum)}});
  } else {
    identity.merge(RunIdentity{
        {"optimizer.name", "adamw"}, {"optimizer.beta1", exactText(o.beta1)}, {"optimizer.beta2", exactText(o.beta2)}});
  }
  return identity;
}

void writeStateFile(const std::string& path, const StateFile& state) {
  Metadata metadata{
      {"format", kFormat}, {"version", kVersion}, {"step", std::to_string(state.step)}, {"notes", state.notes}};
  if (state.rowsAtOnce > 0) metadata["rowsAtOnce"] = std::to_string(state.rowsAtOnce);
  for (const auto& [name, value] : state.identity) metadata[kIdentityPrefix + name] = value;
  writeSafetensors(path, state.tensors, metadata);
}

StateFile readStateFile(const std::string& path, const RunIdentity& expected) {
  StateFile state;
  try {
    state = parsed(SafetensorsFile(path));
  } catch (const Error& error) {
    if (error.code().starts_with("SAFETENSORS_") || error.code() == "MODEL_TENSOR_DTYPE") {
      invalidStateFile(path, error.what());
    }
    throw;
  }
  if (const std::string difference = differences(expected, state.identity); !difference.empty()) {
    throw Error("CHECKPOINT_MISMATCH", path + " belongs to another run: " + difference +
                                           ". Resume with the settings it was made with, or start a new run");
  }
  return state;
}

}  // namespace softprompt
