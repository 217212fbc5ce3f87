// One decoding batch: the searches of some rows, a token at a time over one key/value cache.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "core/generate/choose.h"
#include "core/generate/generate.h"
#include "core/generate/search.h"

namespace softprompt {

// How full a batch is.
struct BatchLoad {
  int64_t lanes = 0;
  int64_t positions = 0;
};

// A lane is a place of the batch that the network decodes. A row has as many lanes as its search pursues sequences; all
// of them share its keys and values of the encoder's output. Where dropping a lane copies the cache, one that nobody
// uses any more is computed all the same, until enough of them are dropped together.
class DecodingBatch {
 public:
  // `options` has one entry a row. Both are kept by reference, and may grow.
  DecodingBatch(Executor& model, const PromptedRows& rows, const std::deque<GenerateOptions>& options)
      : model_(model), rows_(rows), options_(options) {}

  // Encodes `which` of the rows, whose first tokens are then made beside the others' next ones.
  void add(const std::vector<int64_t>& which, Pass& pass);
  // Whether rows can be added while others are being decoded.
  bool takesMore() const { return !cache_ || cache_->takesMore(); }
  // What its rows take at most: lanes, and encoder positions of each lane.
  BatchLoad load() const;

  // One more token of every sequence. onToken as for generate(); onAnswers is told of each row that has ended.
  using OnAnswers = std::function<void(int64_t row, std::vector<Generation> answers)>;
  void step(Pass& pass, const OnToken& onToken, const OnAnswers& onAnswers);

  // Leaves a row out from now on.
  void drop(int64_t row);
  // Ends a row that is no beam search with the tokens that it has.
  void finish(int64_t row, const OnAnswers& onAnswers);
  bool finished() const { return members_.empty(); }

 private:
  struct Member {
    int64_t row;
    std::unique_ptr<Search> search;
    int64_t firstLane;
    int64_t lanes;
  };
  // Members whose tokens are chosen in the same way, and the lanes that they use, ascending.
  struct Group {
    std::vector<Member*> members;
    std::vector<int64_t> lanes;
  };
  using Candidates = std::vector<std::vector<Candidate>>;

  at::Tensor nextIds() const;
  std::vector<Group> groups();
  Candidates candidatesOf(const Group& group, const RawScores& all) const;
  void processFor(const Group& group, at::Tensor& scores, bool isShared) const;
  Candidates sampledBy(const Group& group, const at::Tensor& scores, const RawScores& raw) const;
  void extend(Member& member, const Candidates& candidates, const OnToken& onToken) const;
  void settleEnded(const OnToken& onToken, const OnAnswers& onAnswers);
  void placeSequences();
  const GenerateOptions& optionsOf(const Member& member) const { return options_[member.row]; }

  Executor& model_;
  const PromptedRows& rows_;
  const std::deque<GenerateOptions>& options_;
  std::vector<Member> members_;
  int64_t lanes_ = 0;
  std::unique_ptr<DecoderCache> cache_;
};

}  // namespace softprompt
