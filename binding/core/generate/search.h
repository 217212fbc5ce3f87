// The search for one row's outputs: the sequences that it pursues, and what it makes of their candidates, a token at a
// time. It touches no tensor; chain.cc and beam.cc are the two kinds.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/generate/options.h"

namespace softprompt {

enum class FinishReason { kEos, kLength };

struct Generation {
  std::vector<int32_t> tokens;  // no start token; </s> kept where it was made
  double logProb = 0;           // sum of the raw log-softmax of its tokens
  FinishReason finishReason = FinishReason::kLength;
};

// A token that may follow a sequence.
struct Candidate {
  int32_t token = 0;
  float score = 0;    // what the search compares: after penalties and bans
  float logProb = 0;  // from the raw log-softmax
};

struct Sequence {
  std::vector<int32_t> ids;  // the start token first
  float score = 0;           // sum of its tokens' scores
  double logProb = 0;        // sum of their raw log-probabilities
  int64_t lane = 0;          // the place of the decoding batch whose cache holds its past

  int64_t length() const { return static_cast<int64_t>(ids.size()) - 1; }  // tokens made
  Sequence with(const Candidate& candidate) const;
  Generation generation(int32_t eos) const;
};

class Search {
 public:
  explicit Search(int32_t eos) : eos_(eos) {}
  virtual ~Search() = default;

  // What is pursued; nothing once the search has ended.
  const std::vector<Sequence>& running() const { return running_; }
  std::vector<Sequence>& running() { return running_; }
  // Moves on by one token: candidates[i] are those of running()[i], the best first.
  virtual void extend(const std::vector<std::vector<Candidate>>& candidates) = 0;
  // Ends with what there is; false: a beam search, which has no output before its end.
  virtual bool finish() { return false; }
  // Which of the row's outputs running()[i] is to become; 0 for beams, which is not known before the end.
  virtual size_t number(size_t i) const { return 0; }
  // After the end: the row's outputs, the best first.
  virtual std::vector<Generation> answers() const = 0;

 protected:
  bool isLast(const Sequence& sequence, const GenerateOptions& options) const {
    return sequence.ids.back() == eos_ || sequence.length() >= options.maxNewTokens;
  }

  const int32_t eos_;
  std::vector<Sequence> running_;
};

// Greedy decoding, or numReturnSequences samples: independent sequences of one candidate a step.
std::unique_ptr<Search> makeChains(const GenerateOptions& options, int32_t start, int32_t eos);
// Beam search as Hugging Face transformers does it: 2 x numBeams candidates a step (kCandidatesPerBeam).
std::unique_ptr<Search> makeBeamSearch(const GenerateOptions& options, int32_t start, int32_t eos);
constexpr int64_t kCandidatesPerBeam = 2;

}  // namespace softprompt
