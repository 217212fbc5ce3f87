// The loss of the targets and its gradient at the decoder's output, in one go: logits are made in chunks and never
// kept.
//
// Letters: N target tokens, d = d_model, V = vocabulary; l a token's logits, y the target, Z = logsumexp(l).
// A token's loss is Z - sum_v q_v l_v + zLoss Z^2 with q = (1 - labelSmoothing) onehot(y) + labelSmoothing / V
// (the smoothing of PyTorch's cross_entropy; z-loss as T5X has it); the loss is their sum or their mean.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "core/t5/executor.h"
#include "core/t5/trainable.h"
#include "core/train/options.h"

namespace softprompt {

struct CrossEntropy {
  double loss = 0;             // with reduction, z-loss and smoothing
  double negativeLogProb = 0;  // sum of -log Pr(y), neither z-loss nor smoothing
  at::Tensor hiddenGradient;   // [N, d], dtype of `hidden`: d loss / d hidden
};

// The logits of some of the hidden, and the way back from them.
using LogitsOf = std::function<LogitsPass(const at::Tensor& hidden)>;

// hidden [N, d]: the decoder's output at the real target positions; targets int64 [N]. The softmax is float32. A mean
// is over `meanOver` tokens (0: over these N), of which the N may be a part. A chunk holds at most `chunkLogits` logits
// (one row at least); `yieldPoint` pauses between chunks.
CrossEntropy crossEntropy(Executor& model, const at::Tensor& hidden, const at::Tensor& targets,
                          const LossOptions& options, YieldPoint& yieldPoint, int64_t meanOver = 0,
                          int64_t chunkLogits = 1 << 22);
CrossEntropy crossEntropy(const LogitsOf& logitsOf, int64_t vocabSize, const at::Tensor& hidden,
                          const at::Tensor& targets, const LossOptions& options, YieldPoint& yieldPoint,
                          int64_t meanOver = 0, int64_t chunkLogits = 1 << 22);

// The loss alone, without z-loss and smoothing, summed.
double negativeLogProb(Executor& model, const at::Tensor& hidden, const at::Tensor& targets, YieldPoint& yieldPoint,
                       int64_t chunkLogits = 1 << 22);

}  // namespace softprompt
