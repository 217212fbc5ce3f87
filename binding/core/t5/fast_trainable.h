// Training by the fast executor: without padding, with a backward pass of our own that gives the weights' gradients. It
// must equal the plain one (plain_trainable.h).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/t5/fast_stacks.h"
#include "core/t5/trainable.h"

namespace softprompt {

struct FastTrainableParts {
  // Of a stack's blocks, the biases [1, H, n, n] of n positions (fast_stacks.h).
  using BiasesOf = std::function<std::vector<at::Tensor>(int64_t positions)>;

  const FastModel& model;      // outlives it
  at::Tensor embedding, head;  // [V, d]
  BiasesOf encoderBiases, decoderBiases;
  std::vector<std::pair<std::string, at::Tensor>> parameters;  // by their names; views of the model's fused weights
};

std::unique_ptr<Trainable> makeFastTrainable(FastTrainableParts parts);

}  // namespace softprompt
