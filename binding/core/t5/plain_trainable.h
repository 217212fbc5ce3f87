// Training by LibTorch's autograd through the plain executor: the reference of every faster way.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "core/t5/trainable.h"

namespace softprompt {

// `weights`: of all parameters, by the names of parameterSpecs. Their values and gradients are shared, not copied.
std::unique_ptr<Trainable> makePlainTrainable(const T5Config& config, std::vector<TrainableWeight> weights);

// Those of an executor's parameters, with gradients of zeros.
std::vector<TrainableWeight> weightsOf(const Executor& model);

}  // namespace softprompt
