// The executor of tensors: the fast one where there is one.
#pragma once

#include <memory>

#include "core/checkpoint/safetensors.h"
#include "core/t5/executor.h"

namespace softprompt {

// SOFTPROMPT_PLAIN=1 keeps to the reference.
bool runsFast(at::Device device);

// `tensors`: those of parameterSpecs (and "lm_head.weight" where the head is not the embedding), of one dtype and
// device.
std::unique_ptr<Executor> makeExecutor(const T5Config& config, const NamedTensors& tensors, at::Device device);

}  // namespace softprompt
