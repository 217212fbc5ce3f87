// A fingerprint of a model's tensors as they lie in memory: equal before and after a tuning run.
#pragma once

#include <string>

#include "core/t5/executor.h"

namespace softprompt {

// sha256, in hex, over every frozen tensor's name and bytes.
std::string digestOf(const Executor& model, YieldPoint& yieldPoint);

}  // namespace softprompt
