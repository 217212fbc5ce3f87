// Sampling: temperature, the topK best, the nucleus of mass topP, and the draw. In float32 up to the probabilities and
// in double after, one lane at a time, so that what comes out does not depend on the other lanes.
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "core/generate/choose.h"
#include "core/generate/rows.h"
#include "core/runtime/random.h"

namespace softprompt {
namespace {

// Of a row's streams of random numbers, how many belong to one of its places.
constexpr int kNumberBits = 20;

double uniformOf(const Draw& draw) {
  const uint64_t stream = streamOf(Purpose::kSample, draw.options->place << kNumberBits | draw.number);
  return CounterRandom(draw.options->seed, stream).uniform(draw.position);
}

// Probabilities that are left out become 0. Those equal to the last that is kept are kept too.
void keepBest(std::vector<float>& probabilities, int64_t count) {
  if (count <= 0 || count >= std::ssize(probabilities)) return;
  std::vector<float> ordered = probabilities;
  std::nth_element(ordered.begin(), ordered.begin() + (count - 1), ordered.end(), std::greater());
  const float least = ordered[count - 1];
  for (float& probability : probabilities)
    if (probability < least) probability = 0;
}

// Keeps the likeliest tokens until their mass is at least `mass` of all; of equal ones, lower ids first.
void keepNucleus(std::vector<float>& probabilities, double mass) {
  if (mass >= 1) return;
  std::vector<int32_t> heap;
  double total = 0;
  for (size_t token = 0; token < probabilities.size(); ++token)
    if (probabilities[token] > 0) {
      heap.push_back(static_cast<int32_t>(token));
      total += probabilities[token];
    }
  const auto worse = [&](int32_t a, int32_t b) {
    return probabilities[a] < probabilities[b] || (probabilities[a] == probabilities[b] && a > b);
  };
  std::make_heap(heap.begin(), heap.end(), worse);
  double kept = 0;
  for (auto end = heap.end(); end != heap.begin() && kept < mass * total;) {
    std::pop_heap(heap.begin(), end, worse);
    kept += probabilities[*--end];
    if (kept >= mass * total) {
      for (auto left = heap.begin(); left != end; ++left) probabilities[*left] = 0;
    }
  }
}

// The first token at which the running sum exceeds `uniform` of the whole: one of probability 0 never comes out.
size_t drawn(const std::vector<float>& probabilities, double uniform) {
  double total = 0;
  for (const float probability : probabilities) total += probability;
  double sum = 0;
  size_t last = 0;
  for (size_t token = 0; token < probabilities.size(); ++token) {
    if (probabilities[token] == 0) continue;
    last = token;
    sum += probabilities[token];
    if (sum > uniform * total) return token;
  }
  return last;
}

// softmax(score / temperature) of each lane that draws, on the processor: float32 [draws, V].
at::Tensor probabilitiesOf(const at::Tensor& scores, const std::vector<Draw>& draws) {
  std::vector<int64_t> lanes;
  std::vector<float> temperatures;
  for (const Draw& draw : draws) {
    lanes.push_back(draw.lane);
    temperatures.push_back(static_cast<float>(draw.options->temperature));
  }
  const at::Tensor divisors = floatTensor(temperatures, scores.device()).unsqueeze(1);
  return at::softmax(scores.index_select(0, indexTensor(lanes, scores.device())).div_(divisors), 1).cpu();
}

}  // namespace

std::vector<std::vector<Candidate>> chooseSampled(const at::Tensor& scores, const RawScores& raw,
                                                  const std::vector<Draw>& draws) {
  const int64_t vocabSize = scores.size(1);
  const at::Tensor all = probabilitiesOf(scores, draws);
  std::vector<int64_t> chosen;  // in the flattened [lanes * V]
  for (size_t i = 0; i < draws.size(); ++i) {
    const float* row = all.const_data_ptr<float>() + static_cast<int64_t>(i) * vocabSize;
    std::vector<float> probabilities(row, row + vocabSize);
    keepBest(probabilities, draws[i].options->topK);
    keepNucleus(probabilities, draws[i].options->topP);
    const size_t token = drawn(probabilities, uniformOf(draws[i]));
    chosen.push_back(draws[i].lane * vocabSize + static_cast<int64_t>(token));
  }
  const std::vector<float> score = valuesAt(scores, chosen), logProb = logProbsAt(raw, chosen);
  std::vector<std::vector<Candidate>> candidates(draws.size());
  for (size_t i = 0; i < draws.size(); ++i)
    if (score[i] != -std::numeric_limits<float>::infinity())  // else all were forbidden
      candidates[i].push_back({static_cast<int32_t>(chosen[i] % vocabSize), score[i], logProb[i]});
  return candidates;
}

}  // namespace softprompt
