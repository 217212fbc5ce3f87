#include "core/t5/trainable_model.h"

#include <ATen/core/grad_mode.h>

#include <map>

#include "core/runtime/device.h"
#include "core/runtime/error.h"
#include "core/t5/initialise_weights.h"
#include "core/t5/make_executor.h"
#include "core/t5/parameters.h"
#include "core/t5/weights.h"

namespace softprompt {
namespace {

// `tensors` float32, nobody else's.
LoadedModel modelOf(const std::string& configJson, const T5Config& config, const NamedTensors& tensors,
                    const TrainableOptions& options) {
  const at::Device device = resolveDevice(options.device);
  const at::ScalarType dtype = resolveDtype(options.dtype, device);
  LoadedModel model;
  model.configJson = configJson;
  model.dtype = dtypeName(dtype);
  std::map<std::string, at::Tensor> masters;
  NamedTensors computed;
  for (const auto& [name, tensor] : tensors) {
    masters[name] = tensor.to(device);
    computed.emplace_back(name, masters[name].to(dtype));
  }
  model.executor = makeExecutor(config, computed, device);
  for (const auto& [name, value] : model.executor->parameters()) {
    model.masters.emplace_back(name, dtype == at::kFloat ? value : masters.at(name));
    model.parameterCount += value.numel();
    model.bytes += static_cast<int64_t>(value.nbytes()) + (dtype == at::kFloat ? 0 : 4 * value.numel());
  }
  return model;
}

void checkNames(const LoadedModel& source, const NamedTensors& tensors) {
  std::map<std::string, at::Tensor> known(tensors.begin(), tensors.end());
  std::vector<ParameterSpec> specs = parameterSpecs(source.executor->config());
  const bool hasHead = known.contains("lm_head.weight");
  bool agrees = known.size() == specs.size() + (hasHead ? 1 : 0);
  for (const ParameterSpec& spec : specs) {
    const auto found = known.find(spec.name);
    agrees = agrees && found != known.end() && found->second.sizes().equals(spec.shape);
  }
  if (!agrees) {
    throw Error("MODEL_UNSUPPORTED",
                "this model does not hold the tensors that its config.json demands (a foreign TorchScript module, or "
                "weights that were made smaller), so it cannot be trained: load its Hugging Face folder in float32 or "
                "bfloat16");
  }
}

}  // namespace

LoadedModel trainableCopy(const LoadedModel& source, const TrainableOptions& options, YieldPoint& yieldPoint) {
  const at::NoGradGuard noGrad;
  const NamedTensors& from = source.masters.empty() ? source.executor->parameters() : source.masters;
  checkNames(source, from);
  NamedTensors tensors;
  for (const auto& [name, tensor] : from) {
    yieldPoint.pause();
    tensors.emplace_back(name, tensor.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true));
  }
  LoadedModel model = modelOf(source.configJson, source.executor->config(), tensors, options);
  model.fingerprint = fingerprintOf(model, yieldPoint);
  return model;
}

LoadedModel createModel(const std::string& configJson, uint64_t seed, const TrainableOptions& options,
                        YieldPoint& yieldPoint) {
  const T5Config config = parseConfig(configJson, "the new model's config");
  yieldPoint.pause();
  LoadedModel model = modelOf(configJson, config, initialWeights(config, seed), options);
  model.fingerprint = fingerprintOf(model, yieldPoint);
  return model;
}

std::string fingerprintOf(const LoadedModel& model, YieldPoint& yieldPoint) {
  if (model.masters.empty()) return model.fingerprint;
  Fingerprint fingerprint;
  for (const auto& [name, tensor] : model.masters) {
    yieldPoint.pause();
    fingerprint.add(name, tensor);
  }
  return fingerprint.hex(model.executor->config());
}

void saveWeights(const LoadedModel& model, const std::string& path, const std::string& dtype, YieldPoint& yieldPoint) {
  const at::ScalarType type = resolveDtype(dtype, at::kCPU);
  const NamedTensors& from = model.masters.empty() ? model.executor->parameters() : model.masters;
  NamedTensors tensors;
  for (const auto& [name, tensor] : from) {
    yieldPoint.pause();
    tensors.emplace_back(name, tensor.detach().to(at::kCPU, type));
  }
  writeSafetensors(path, tensors, {{"format", "pt"}});
}

void refreshWeights(LoadedModel& model) {
  const at::NoGradGuard noGrad;
  if (model.executor->dtype() != at::kFloat) {
    const auto values = model.executor->parameters();
    for (size_t i = 0; i < values.size(); ++i) values[i].second.copy_(model.masters[i].second);
  }
  model.executor->weightsChanged();
}

}  // namespace softprompt
