#include <utility>

#include "core/generate/search.h"

namespace softprompt {

namespace {

class Chains final : public Search {
 public:
  Chains(const GenerateOptions& options, int32_t start, int32_t eos)
      : Search(eos), options_(options), answers_(options.numReturnSequences) {
    running_.resize(answers_.size(), Sequence{.ids = {start}});
    for (size_t i = 0; i < answers_.size(); ++i) answerOf_.push_back(i);
  }

  void extend(const std::vector<std::vector<Candidate>>& candidates) override {
    size_t kept = 0;
    for (size_t i = 0; i < running_.size(); ++i) {
      Sequence& sequence = running_[i];
      sequence.ids.push_back(candidates[i][0].token);
      sequence.logProb += candidates[i][0].logProb;
      if (isLast(sequence, options_)) {
        answers_[answerOf_[i]] = sequence.generation(eos_);
      } else {
        answerOf_[kept] = answerOf_[i];
        if (kept != i) running_[kept] = std::move(sequence);
        ++kept;
      }
    }
    running_.resize(kept);
    answerOf_.resize(kept);
  }

  bool finish() override {
    for (size_t i = 0; i < running_.size(); ++i) answers_[answerOf_[i]] = running_[i].generation(eos_);
    running_.clear();
    answerOf_.clear();
    return true;
  }

  std::vector<Generation> answers() const override { return answers_; }
  size_t number(size_t running) const override { return answerOf_[running]; }

 private:
  const GenerateOptions& options_;
  std::vector<Generation> answers_;
  std::vector<size_t> answerOf_;  // of each running sequence
};

}  // namespace

std::unique_ptr<Search> makeChains(const GenerateOptions& options, int32_t start, int32_t eos) {
  return std::make_unique<Chains>(options, start, eos);
}

}  // namespace softprompt
