#include "core/t5/load.h"

#include "core/checkpoint/read_file.h"
#include "core/checkpoint/safetensors.h"
#include "core/runtime/device.h"
#include "core/runtime/error.h"
#include "core/t5/build.h"
#include "core/t5/plain_executor.h"
#include "core/t5/weights.h"

namespace softprompt {
namespace {

struct Checkpoint {
  std::string configJson;
  T5Config config;
  std::unique_ptr<TensorSource> source;
};

Checkpoint openFolder(const std::string& folder) {
  const std::string configPath = folder + "/config.json", weightsPath = folder + "/model.safetensors";
  if (!isFile(configPath)) throw Error("CONFIG_MISSING", folder + " has no config.json; is it a model's folder?");
  Checkpoint out;
  out.configJson = readText(configPath);
  out.config = parseConfig(out.configJson, configPath);
  if (!isFile(weightsPath)) {
    throw Error("MODEL_FILE_MISSING", folder +
                                          " has no model.safetensors. A model is read from model.safetensors in a "
                                          "folder, or from a .pt written by convert; other formats "
                                          "(pytorch_model.bin, shards) must be converted first");
  }
  out.source = std::make_unique<SafetensorsFile>(weightsPath);
  return out;
}

LoadedModel assemble(const Checkpoint& checkpoint, const LoadOptions& options, YieldPoint& yieldPoint) {
  WeightOptions weightOptions;
  weightOptions.device = resolveDevice(options.device);
  weightOptions.dtype = resolveDtype(options.dtype, weightOptions.device);
  weightOptions.onProgress = options.onProgress;
  Weights weights = readWeights(*checkpoint.source, checkpoint.config, weightOptions, yieldPoint);

  LoadedModel model;
  model.configJson = checkpoint.configJson;
  model.fingerprint = weights.fingerprint;
  for (const auto& [name, tensor] : weights.tensors) {
    model.parameterCount += tensor.numel();
    model.bytes += static_cast<int64_t>(tensor.nbytes());
  }
  model.executor = makePlainExecutor(checkpoint.config, buildModule(checkpoint.config, weights.tensors));
  return model;
}

}  // namespace

LoadedModel loadModel(const LoadOptions& options, YieldPoint& yieldPoint) {
  if (isFolder(options.path)) return assemble(openFolder(options.path), options, yieldPoint);
  throw Error("MODEL_NOT_FOUND", options.path + " is neither a model's folder nor a .pt file");
}

}  // namespace softprompt
