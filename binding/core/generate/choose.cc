#include "core/generate/choose.h"

#include <ATen/ops/topk.h>

#include <algorithm>
#include <limits>
#include <tuple>

namespace softprompt {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

// tokens, scores and logProbs: [lanes, n], in the order of the candidates.
std::vector<std::vector<Candidate>> candidates(const at::Tensor& tokens, const at::Tensor& scores,
                                               const at::Tensor& logProbs) {
  const at::Tensor tokensHere = tokens.cpu(), scoresHere = scores.cpu(), logProbsHere = logProbs.cpu();
  const int64_t* token = tokensHere.const_data_ptr<int64_t>();
  const float* score = scoresHere.const_data_ptr<float>();
  const float* logProb = logProbsHere.const_data_ptr<float>();
  std::vector<std::vector<Candidate>> all(tokens.size(0));
  for (std::vector<Candidate>& lane : all)
    for (int64_t i = 0; i < tokens.size(1); ++i, ++token, ++score, ++logProb)
      if (*score != kForbidden) lane.push_back({static_cast<int32_t>(*token), *score, *logProb});
  return all;
}

}  // namespace

std::vector<std::vector<Candidate>> chooseGreedy(const at::Tensor& scores, const at::Tensor& logProbs) {
  const at::Tensor tokens = scores.argmax(1, /*keepdim=*/true);  // the first of equal ones
  return candidates(tokens, scores.gather(1, tokens), logProbs.gather(1, tokens));
}

std::vector<std::vector<Candidate>> chooseBest(const at::Tensor& scores, const at::Tensor& logProbs, int64_t count) {
  const auto [best, tokens] = at::topk(scores, std::min(count, scores.size(1)), 1);
  return candidates(tokens, best, logProbs.gather(1, tokens));
}

}  // namespace softprompt
