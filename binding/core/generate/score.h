// Log-probabilities of given targets: score (a target a row) and classify (every label for every row, one encoder
// pass).
#pragma once

#include <vector>

#include "core/generate/generate.h"

namespace softprompt {

// One float a target token: log Pr(target_t | [P; input], target_<t), natural log, float32 log-softmax.
std::vector<std::vector<float>> score(Executor& model, const PromptedRows& rows, const TokenRows& targets,
                                      YieldPoint& yieldPoint, int64_t maxBatch = 32);

// float32 [rows, labels]: the sum over each label's tokens.
at::Tensor classify(Executor& model, const PromptedRows& rows, const TokenRows& labels, YieldPoint& yieldPoint,
                    int64_t maxBatch = 32);

}  // namespace softprompt
