#include "core/generate/search.h"

namespace softprompt {

Sequence Sequence::with(const Candidate& candidate) const {
  Sequence longer = *this;
  longer.ids.push_back(candidate.token);
  longer.score += candidate.score;
  longer.logProb += candidate.logProb;
  return longer;
}

Generation Sequence::generation(int32_t eos) const {
  return {{ids.begin() + 1, ids.end()}, logProb, ids.back() == eos ? FinishReason::kEos : FinishReason::kLength};
}

}  // namespace softprompt
