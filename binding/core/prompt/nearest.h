// What a learned row resembles: the vocabulary's embeddings that point the same way (the paper, section 7).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/runtime/yield_point.h"
#include "core/t5/executor.h"

namespace softprompt {

struct NearestTokens {
  at::Tensor ids;         // int64 [P, k], the nearest first
  at::Tensor similarity;  // float32 [P, k], cosine; 0 for a row or an embedding of zeros
};

// prompt: float32 [P, d]. k = count, or as many as the vocabulary has. On the CPU.
NearestTokens nearestTokens(Executor& model, const at::Tensor& prompt, int64_t count, YieldPoint& yieldPoint);

}  // namespace softprompt
