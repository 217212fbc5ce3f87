// Models whose weights may change: copies of a loaded one, or new ones. Beside the weights that the network computes
// with stand float32 masters, which are what an optimiser moves; in float32 the two are the same tensors.
#pragma once

#include <cstdint>
#include <string>

#include "core/t5/load.h"

namespace softprompt {

struct TrainableOptions {
  std::string dtype = "float32";  // auto | float32 | bfloat16: of what the network computes with
  std::string device = "auto";
};

// Throws Error MODEL_UNSUPPORTED where the tensors of `source` are not those of its config.
LoadedModel trainableCopy(const LoadedModel& source, const TrainableOptions& options, YieldPoint& yieldPoint);

// Random weights by the config and the seed. Throws Error CONFIG_*.
LoadedModel createModel(const std::string& configJson, uint64_t seed, const TrainableOptions& options,
                        YieldPoint& yieldPoint);

// LoadedModel::fingerprint, of the weights as they are now: a frozen model's is known.
std::string fingerprintOf(const LoadedModel& model, YieldPoint& yieldPoint);

// The weights as they are now, by Hugging Face's names. dtype: float32 | bfloat16. Throws Error FILE_WRITE.
void saveWeights(const LoadedModel& model, const std::string& path, const std::string& dtype, YieldPoint& yieldPoint);

// After the masters have changed: the weights that the network computes with become the same numbers.
void refreshWeights(LoadedModel& model);

}  // namespace softprompt
