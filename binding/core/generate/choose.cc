#include "core/generate/choose.h"

#include <limits>

#include "core/generate/rows.h"
#include "core/ops/vocabulary.h"

namespace softprompt {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

}  // namespace

RawScores rawScores(const at::Tensor& logits) {
  return {logits, logSumExp(logits)};
}

std::vector<float> valuesAt(const at::Tensor& matrix, const std::vector<int64_t>& places) {
  const at::Tensor values = matrix.reshape({-1}).index_select(0, indexTensor(places, matrix.device())).cpu();
  return {values.const_data_ptr<float>(), values.const_data_ptr<float>() + values.numel()};
}

std::vector<float> logProbsAt(const RawScores& raw, const std::vector<int64_t>& places) {
  std::vector<float> logProbs = valuesAt(raw.logits, places);
  const at::Tensor sums = raw.logSumExp.cpu();
  const float* sum = sums.const_data_ptr<float>();
  for (size_t i = 0; i < places.size(); ++i) logProbs[i] -= sum[places[i] / raw.logits.size(1)];
  return logProbs;
}

std::vector<std::vector<Candidate>> chooseBest(const at::Tensor& scores, const RawScores& raw, int64_t count) {
  const std::vector<std::vector<int32_t>> ids = bestIds(scores, count);
  std::vector<int64_t> places;  // in the flattened [lanes * V]
  for (size_t lane = 0; lane < ids.size(); ++lane)
    for (const int32_t id : ids[lane]) places.push_back(static_cast<int64_t>(lane) * scores.size(1) + id);
  const std::vector<float> score = valuesAt(scores, places), logProb = logProbsAt(raw, places);
  std::vector<std::vector<Candidate>> all(ids.size());
  size_t next = 0;
  for (size_t lane = 0; lane < ids.size(); ++lane)
    for (const int32_t id : ids[lane]) {
      if (score[next] != kForbidden) all[lane].push_back({id, score[next], logProb[next]});
      ++next;
    }
  return all;
}

}  // namespace softprompt
