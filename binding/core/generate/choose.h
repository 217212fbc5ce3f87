// Which tokens may come next in each lane of a decoding batch, from the scores after processors.cc.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/generate/options.h"
#include "core/generate/search.h"

namespace softprompt {

// scores and logProbs: float32 [lanes, V], the latter the raw log-softmax. Scores of minus infinity are forbidden: they
// are never among the candidates. One list of candidates a lane, the best first.

// The best token; of equal ones, the lowest id.
std::vector<std::vector<Candidate>> chooseGreedy(const at::Tensor& scores, const at::Tensor& logProbs);
// The `count` best (fewer where the vocabulary or what is allowed is smaller).
std::vector<std::vector<Candidate>> chooseBest(const at::Tensor& scores, const at::Tensor& logProbs, int64_t count);

// One sample of a lane. Two of them may be of the same lane.
struct Draw {
  int64_t lane;
  const GenerateOptions* options;
  uint64_t number;    // which of the row's sequences
  uint64_t position;  // tokens made before
};
// One candidate a draw, from softmax(score / temperature) among the topK best and of those the nucleus of mass topP.
std::vector<std::vector<Candidate>> chooseSampled(const at::Tensor& scores, const at::Tensor& logProbs,
                                                  const std::vector<Draw>& draws);

}  // namespace softprompt
