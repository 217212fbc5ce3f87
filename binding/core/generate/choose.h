// Which tokens may come next in each lane of a decoding batch, from the scores after processors.cc.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/generate/options.h"
#include "core/generate/search.h"

namespace softprompt {

// The logits of each lane, float32 [lanes, V], and what is to be taken off them for log-probabilities, [lanes].
struct RawScores {
  at::Tensor logits;
  at::Tensor logSumExp;
};
RawScores rawScores(const at::Tensor& logits);

// Below, scores: float32 [lanes, V], contiguous. Scores of minus infinity are forbidden: they are never among the
// candidates. One list of candidates a lane, the best first.

// The `count` best (fewer where the vocabulary or what is allowed is smaller); of equal ones, the lowest id first.
std::vector<std::vector<Candidate>> chooseBest(const at::Tensor& scores, const RawScores& raw, int64_t count);

// One sample of a lane. Two of them may be of the same lane.
struct Draw {
  int64_t lane;
  const GenerateOptions* options;
  uint64_t number;    // which of the row's sequences
  uint64_t position;  // tokens made before
};
// One candidate a draw, from softmax(score / temperature) among the topK best and of those the nucleus of mass topP.
std::vector<std::vector<Candidate>> chooseSampled(const at::Tensor& scores, const RawScores& raw,
                                                  const std::vector<Draw>& draws);

// Values and log-probabilities at places of the flattened [lanes * V].
std::vector<float> valuesAt(const at::Tensor& matrix, const std::vector<int64_t>& places);
std::vector<float> logProbsAt(const RawScores& raw, const std::vector<int64_t>& places);

}  // namespace softprompt
