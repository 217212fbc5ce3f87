// How the next token of every row is chosen from the decoder's logits.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace softprompt {

// One entry a row of a decoding batch.
struct Choice {
  std::vector<int64_t> tokens;
  std::vector<double> logProbs;  // of those tokens, from the raw log-softmax: what is forbidden does not change it
};

// The likeliest token of every row; of equal ones, the lowest id. logits: [B, V], any float dtype; the maths is
// float32. Where mayEnd[b] is false, `eos` is not chosen.
Choice chooseGreedy(const at::Tensor& logits, const std::vector<bool>& mayEnd, int64_t eos);

}  // namespace softprompt
