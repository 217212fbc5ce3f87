// Log-probabilities of given targets: score (a target a row) and classify (every label for every row, one encoder
// pass). Both go a step at a time, some rows a step, so that other calls get their turn in between.
#pragma once

#include <memory>
#include <vector>

#include "core/generate/generate.h"
#include "core/generate/label_tree.h"

namespace softprompt {

constexpr int64_t kRowsAStep = 16;

// One float a target token: log Pr(target_t | [P; input], target_<t), natural log, float32 log-softmax.
class Scoring {
 public:
  // Throws what checkRows and checkTargets do.
  Scoring(Executor& model, PromptedRows rows, TokenRows targets, int64_t rowsAStep = kRowsAStep);

  bool step(YieldPoint& yieldPoint);  // false: all rows are done
  std::vector<std::vector<float>> answers;

 private:
  Executor& model_;
  const PromptedRows rows_;
  const TokenRows targets_;
  std::vector<std::vector<int64_t>> batches_;  // what is left, the next one last
};

// The sum over each label's tokens. The labels' common beginnings are decoded once.
class Classifying {
 public:
  Classifying(Executor& model, PromptedRows rows, TokenRows labels, int64_t rowsAStep = kRowsAStep);

  bool step(YieldPoint& yieldPoint);
  at::Tensor answers;  // float32 [rows, labels]

 private:
  // Rows that were encoded together, of which the first `done` have their answers.
  struct Batch {
    std::vector<int64_t> rows;
    Encoded encoded;
    int64_t done = 0;
  };

  int64_t lanesAtMost() const;
  void growTrees();
  std::unique_ptr<DecoderCache> startCache(int64_t& rows, Pass& pass);
  void classifySome(Pass& pass);

  Executor& model_;
  const PromptedRows rows_;
  const TokenRows labels_;
  std::vector<std::vector<int64_t>> batches_;
  std::unique_ptr<Batch> batch_;
  bool sharesRows_ = true;        // lanes of a row share its keys and values; known after the first cache
  std::vector<LabelTree> trees_;  // of all labels, or of as many as may be decoded together, and then of the next ones
};

// All of it, pausing between steps.
std::vector<std::vector<float>> score(Executor& model, const PromptedRows& rows, const TokenRows& targets,
                                      YieldPoint& yieldPoint, int64_t rowsAStep = kRowsAStep);
at::Tensor classify(Executor& model, const PromptedRows& rows, const TokenRows& labels, YieldPoint& yieldPoint,
                    int64_t rowsAStep = kRowsAStep);

}  // namespace softprompt
