// Beam search with the rules of Hugging Face transformers 5 (generation/utils.py, _beam_search), for one row. What that
// carries along as beams of score -1e9, so that tensors keep their shape, is left out here.
#include <algorithm>
#include <cmath>

#include "core/generate/search.h"

namespace softprompt {
namespace {

class BeamSearch final : public Search {
 public:
  BeamSearch(const GenerateOptions& options, int32_t start, int32_t eos)
      : Search(eos), options_(options), beams_(static_cast<size_t>(options.numBeams)) {
    running_.push_back({.ids = {start}});
  }

  void extend(const std::vector<std::vector<Candidate>>& candidates) override {
    const std::vector<Continuation> best = bestOf(candidates);
    std::vector<Sequence> next;
    for (size_t i = 0; i < best.size() && next.size() < beams_; ++i) {
      Sequence longer = running_[best[i].beam].with(*best[i].candidate);
      if (!isLast(longer, options_)) {
        next.push_back(std::move(longer));
      } else if (i < beams_) {  // a lower one may not end here: it was kept so that enough beams go on
        finish(std::move(longer));
      }
    }
    running_ = std::move(next);
    if (isOver()) running_.clear();
  }

  std::vector<Generation> answers() const override {
    std::vector<Generation> answers;
    const size_t count = std::min(finished_.size(), static_cast<size_t>(options_.numReturnSequences));
    for (size_t i = 0; i < count; ++i) answers.push_back(finished_[i].sequence.generation(eos_));
    return answers;
  }

 private:
  struct Continuation {
    size_t beam;
    const Candidate* candidate;
    float score;
  };
  struct Finished {
    Sequence sequence;
    float score;  // over length^lengthPenalty
  };

  // The best kCandidatesPerBeam x beams continuations of all beams; of equal ones, those of the better beam first.
  std::vector<Continuation> bestOf(const std::vector<std::vector<Candidate>>& candidates) const {
    std::vector<Continuation> all;
    for (size_t beam = 0; beam < candidates.size(); ++beam)
      for (const Candidate& candidate : candidates[beam])
        all.push_back({beam, &candidate, running_[beam].score + candidate.score});
    std::stable_sort(all.begin(), all.end(),
                     [](const Continuation& a, const Continuation& b) { return a.score > b.score; });
    if (all.size() > kCandidatesPerBeam * beams_) all.resize(kCandidatesPerBeam * beams_);
    return all;
  }

  float penalised(float score, int64_t length) const {
    return score / static_cast<float>(std::pow(static_cast<double>(length), options_.lengthPenalty));
  }

  void finish(Sequence sequence) {
    const float score = penalised(sequence.score, sequence.length());
    const auto place = std::upper_bound(finished_.begin(), finished_.end(), score,
                                        [](float mine, const Finished& other) { return mine > other.score; });
    finished_.insert(place, {std::move(sequence), score});
    if (finished_.size() > beams_) finished_.pop_back();
  }

  // Whether what runs can still change the answer, by the rule that was asked for.
  bool isOver() const {
    if (running_.empty()) return true;
    if (finished_.size() < beams_) return false;
    if (options_.earlyStopping == EarlyStopping::kAtOnce) return true;
    const bool toTheEnd = options_.earlyStopping == EarlyStopping::kNever && options_.lengthPenalty > 0;
    const int64_t length = toTheEnd ? options_.maxNewTokens : running_[0].length();
    return penalised(running_[0].score, length) <= finished_.back().score;
  }

  const GenerateOptions& options_;
  const size_t beams_;
  std::vector<Finished> finished_;  // the best first
};

}  // namespace

std::unique_ptr<Search> makeBeamSearch(const GenerateOptions& options, int32_t start, int32_t eos) {
  return std::make_unique<BeamSearch>(options, start, eos);
}

}  // namespace softprompt
