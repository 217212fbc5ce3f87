#include "core/t5/initialise_weights.h"

#include <ATen/ops/ones.h>

#include <cmath>

#include "core/runtime/random.h"
#include "core/t5/parameters.h"

namespace softprompt {
namespace {

double deviationOf(const std::string& name, const T5Config& config) {
  const auto d = static_cast<double>(config.dModel);
  if (name == "shared.weight" || name == "lm_head.weight") return 1;
  if (name.ends_with(".q.weight")) return 1 / std::sqrt(d * static_cast<double>(config.dKv));
  if (name.ends_with(".o.weight")) return 1 / std::sqrt(static_cast<double>(config.innerDim()));
  if (name.ends_with(".wo.weight")) return 1 / std::sqrt(static_cast<double>(config.dFf));
  return 1 / std::sqrt(d);
}

bool isNorm(const std::string& name) {
  return name.ends_with("layer_norm.weight");
}

}  // namespace

NamedTensors initialWeights(const T5Config& config, uint64_t seed) {
  std::vector<ParameterSpec> specs = parameterSpecs(config);
  if (!config.tiedHead) specs.push_back({"lm_head.weight", {config.vocabSize, config.dModel}});
  NamedTensors tensors;
  for (uint64_t i = 0; i < specs.size(); ++i) {
    const auto& [name, shape] = specs[i];
    const CounterRandom random(seed, streamOf(Purpose::kWeights, i));
    tensors.emplace_back(
        name, isNorm(name) ? at::ones(shape, at::kFloat) : random.normalTensor(shape, deviationOf(name, config)));
  }
  return tensors;
}

}  // namespace softprompt
