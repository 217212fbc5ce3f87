// Cross entropy of logits and its gradient, which takes their place: three looks at a row that is in the cache.
//
// Letters as in train/cross_entropy.h: a token's loss is Z - sum_v q_v l_v + zLoss Z^2, Z = logsumexp(l).
#pragma once

#include <ATen/core/Tensor.h>

namespace softprompt {

struct LossRule {
  double zLoss = 0;
  double labelSmoothing = 0;
  double scale = 1;  // of the gradient
};

struct LossSums {
  double loss = 0;             // not scaled
  double negativeLogProb = 0;  // sum of -log Pr(target)
};

// logits [n, V], contiguous, float32 or bfloat16, on the CPU: become scale d loss / d logits. targets int64 [n].
LossSums lossGradient(at::Tensor& logits, const at::Tensor& targets, const LossRule& rule);

}  // namespace softprompt
