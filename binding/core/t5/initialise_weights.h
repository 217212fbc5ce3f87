// The first weights of a new T5, drawn as Mesh TensorFlow and Hugging Face do: normal, with standard deviations that
// keep every product near unit variance without a scale in the attention.
#pragma once

#include "core/checkpoint/safetensors.h"
#include "core/t5/config.h"

namespace softprompt {

// Embedding and an untied head: 1. q: (d d_kv)^-0.5. k, v, wi, relative bias: d^-0.5. o: (heads d_kv)^-0.5.
// wo: d_ff^-0.5. Norms are ones. float32, on the CPU; a function of the config and the seed.
NamedTensors initialWeights(const T5Config& config, uint64_t seed);

}  // namespace softprompt
