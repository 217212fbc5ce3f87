// How one row's output is made. docs/decoding.md has the formulas; src/options/generate.ts checks the values.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/generate/trie.h"

namespace softprompt {

// When a beam search ends that has as many finished outputs as beams: at once; where a guess says that no running beam
// can still become better than the worst of them; where (almost) certainly none can.
enum class EarlyStopping { kAtOnce, kHeuristic, kNever };

using TokenSequences = std::vector<std::vector<int32_t>>;

struct GenerateOptions {
  int64_t maxNewTokens = 128;
  int64_t minNewTokens = 0;  // </s> is forbidden before

  // More than one: beam search. Not together with doSample.
  int64_t numBeams = 1;
  double lengthPenalty = 1;
  EarlyStopping earlyStopping = EarlyStopping::kHeuristic;
  int64_t numReturnSequences = 1;  // at most numBeams, or any number of samples

  bool doSample = false;
  double temperature = 1;
  int64_t topK = 0;  // 0: all
  double topP = 1;
  // A row's random numbers are functions of both, and of nothing else in its call.
  uint64_t seed = 0;
  uint64_t place = 0;  // < 2^36

  double repetitionPenalty = 1;
  int64_t noRepeatNgramSize = 0;                   // 0: none
  std::shared_ptr<const TokenSequences> badWords;  // none of these sequences comes out; null: none is forbidden
  std::shared_ptr<const TokenTrie> labels;         // only these sequences come out; null: any
};

}  // namespace softprompt
