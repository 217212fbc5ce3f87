#include "core/t5/load.h"

#include <torch/csrc/jit/api/module.h>

#include "core/checkpoint/model_folder.h"
#include "core/checkpoint/read_file.h"
#include "core/checkpoint/torchscript.h"
#include "core/runtime/device.h"
#include "core/runtime/error.h"
#include "core/t5/archive.h"
#include "core/t5/build.h"
#include "core/t5/fast_executor.h"
#include "core/t5/foreign_executor.h"
#include "core/t5/fused_weights.h"
#include "core/t5/int8_executor.h"
#include "core/t5/make_executor.h"
#include "core/t5/plain_executor.h"
#include "core/t5/weights.h"

namespace softprompt {
namespace {

constexpr uint64_t kLongestConfig = 4 << 20;
constexpr const char* kInt8 = "int8";

struct Checkpoint {
  std::string configJson;
  T5Config config;
  std::unique_ptr<TensorSource> source;
};

Checkpoint openFolder(const std::string& folder) {
  const std::string configPath = folder + "/config.json";
  if (!isFile(configPath)) throw Error("CONFIG_MISSING", folder + " has no config.json; is it a model's folder?");
  Checkpoint out;
  out.configJson = readText(configPath, kLongestConfig);
  out.config = parseConfig(out.configJson, configPath);
  out.source = std::make_unique<ModelFolder>(folder);
  return out;
}

// int8 is made of the numbers that this processor decodes by otherwise.
WeightOptions weightOptions(const LoadOptions& options) {
  const bool isInt8 = options.dtype == kInt8;
  WeightOptions out;
  out.device = resolveDevice(isInt8 && options.device == "auto" ? "cpu" : options.device);
  if (isInt8 && !out.device.is_cpu())
    throw Error("OPTION_UNSUPPORTED",
                "dtype 'int8' is computed on the processor alone; load the model with device 'cpu', or with dtype "
                "'bfloat16'");
  out.dtype = resolveDtype(isInt8 ? "auto" : options.dtype, out.device);
  out.onProgress = options.onProgress;
  return out;
}

int64_t countOf(const NamedTensors& tensors) {
  int64_t numbers = 0;
  for (const auto& [name, tensor] : tensors) numbers += tensor.numel();
  return numbers;
}

int64_t bytesOf(const NamedTensors& tensors) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

LoadedModel assemble(const Checkpoint& checkpoint, const LoadOptions& options, YieldPoint& yieldPoint) {
  WeightOptions how = weightOptions(options);
  const bool isInt8 = options.dtype == kInt8, isFast = runsFast(how.device);
  if (isInt8 || isFast) how.sideBySide = fusedNames(checkpoint.config);
  Weights weights = readWeights(*checkpoint.source, checkpoint.config, how, yieldPoint);
  LoadedModel model;
  model.configJson = checkpoint.configJson;
  model.fingerprint = weights.fingerprint;
  model.parameterCount = countOf(weights.tensors);
  torch::jit::Module module = buildModule(checkpoint.config, weights.tensors);
  weights.tensors.clear();
  const auto make = isInt8 ? makeInt8Executor : isFast ? makeFastExecutor : makePlainExecutor;
  model.executor = make(checkpoint.config, std::move(module));
  model.dtype = isInt8 ? kInt8 : dtypeName(how.dtype);
  model.bytes = bytesOf(model.executor->parameters());
  return model;
}

// An archive of our own: tensors and config are taken, the module is built anew, its code is not run.
LoadedModel loadOwn(std::unique_ptr<TorchScriptFile> file, const ArchiveManifest& manifest, const LoadOptions& options,
                    YieldPoint& yieldPoint) {
  Checkpoint checkpoint;
  checkpoint.configJson = file->extra("config.json").value();
  checkpoint.config = parseConfig(checkpoint.configJson, options.path + "/config.json");
  file->parseModule();
  checkpoint.source = std::move(file);
  LoadedModel model = assemble(checkpoint, options, yieldPoint);
  if (model.fingerprint != manifest.held) {
    throw Error("TORCHSCRIPT_INVALID", options.path +
                                           " is damaged: its values are not those that were written; convert "
                                           "the model again");
  }
  model.fingerprint = manifest.fingerprint;
  return model;
}

LoadedModel loadForeign(const TorchScriptFile& file, const LoadOptions& options) {
  LoadedModel model;
  const auto configJson = file.extra("config.json");
  if (!configJson) {
    throw Error("CONFIG_MISSING", options.path + " has no config.json among its extra files (docs/torchscript.md)");
  }
  model.configJson = *configJson;
  const T5Config config = parseConfig(*configJson, options.path + "/config.json");
  if (options.dtype == kInt8)
    throw Error("OPTION_UNSUPPORTED", options.path +
                                          " was not written by this version's convert, and is run by its own code: "
                                          "dtype 'int8' needs a model's folder, or a file that convert made of it");
  const at::Device device = resolveDevice(options.device);
  const bool asItIs = options.dtype == "auto";
  model.executor = loadForeignExecutor(options.path, config, device,
                                       asItIs ? at::ScalarType::Undefined : resolveDtype(options.dtype, device));
  Fingerprint fingerprint;
  for (const auto& [name, tensor] : model.executor->parameters()) fingerprint.add(name, tensor);
  model.fingerprint = fingerprint.hex(config);
  model.dtype = dtypeName(model.executor->dtype());
  const NamedTensors held = model.executor->parameters();
  model.parameterCount = countOf(held);
  model.bytes = bytesOf(held);
  return model;
}

LoadedModel loadArchive(const LoadOptions& options, YieldPoint& yieldPoint) {
  auto file = std::make_unique<TorchScriptFile>(options.path);
  if (const auto manifest = ownManifest(*file)) return loadOwn(std::move(file), *manifest, options, yieldPoint);
  if (!file->isModule()) {
    throw Error("MODEL_UNSUPPORTED",
                options.path +
                    " was written by torch.save and is no TorchScript module. If it is a state dict, "
                    "name it pytorch_model.bin, put the model's config.json beside it, and give the "
                    "folder");
  }
  if (!options.trust) {
    throw Error("MODEL_UNTRUSTED", options.path +
                                       " was not written by this version's convert, and TorchScript is code "
                                       "that can read and write any file. Convert the model's folder again, "
                                       "or pass trust: true if you trust whoever made it");
  }
  return loadForeign(*file, options);
}

// A converted file does not depend on the machine: 'auto' keeps the checkpoint's own numbers.
std::string dtypeOfFile(const TensorSource& source, const std::string& asked) {
  if (asked != "auto") return asked;
  const TensorInfo* norm = source.find("encoder.final_layer_norm.weight");
  return norm && norm->dtype == "BF16" ? "bfloat16" : "float32";
}

std::string fingerprintOf(const T5Config& config, const NamedTensors& tensors) {
  Fingerprint fingerprint;
  for (const auto& [name, tensor] : tensors) fingerprint.add(name, tensor);
  return fingerprint.hex(config);
}

}  // namespace

LoadedModel loadModel(const LoadOptions& options, YieldPoint& yieldPoint) {
  if (isFolder(options.path)) return assemble(openFolder(options.path), options, yieldPoint);
  if (isFile(options.path)) return loadArchive(options, yieldPoint);
  throw Error("MODEL_NOT_FOUND", options.path + " is neither a model's folder nor a .pt file");
}

void convertModel(const std::string& folder, const std::string& outPath, const std::string& dtype,
                  YieldPoint& yieldPoint) {
  if (!isFolder(folder)) throw Error("MODEL_NOT_FOUND", folder + " is no folder; convert reads a model's folder");
  const Checkpoint checkpoint = openFolder(folder);
  ArchiveWriter writer(outPath);
  WeightOptions options;
  options.dtype = resolveDtype(dtypeOfFile(*checkpoint.source, dtype), at::kCPU);
  const Weights weights = readWeights(*checkpoint.source, checkpoint.config, options, yieldPoint);
  const ArchiveManifest manifest{weights.fingerprint, fingerprintOf(checkpoint.config, weights.tensors)};
  writer.write(buildModule(checkpoint.config, weights.tensors), checkpoint.configJson, manifest);
}

}  // namespace softprompt
