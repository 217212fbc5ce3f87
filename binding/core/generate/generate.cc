#include "core/generate/generate.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "core/generate/batch.h"
#include "core/generate/rows.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

// What the options of a row name, against the vocabulary: a token outside would be a score of another lane.
void checkSequences(const std::vector<GenerateOptions>& options, int64_t vocabSize) {
  std::set<const void*> seen;
  for (size_t row = 0; row < options.size(); ++row) {
    const auto& labels = options[row].labels;
    const auto& badWords = options[row].badWords;
    bool known = !labels || !seen.insert(labels.get()).second || labels->isWithin(vocabSize);
    if (badWords && seen.insert(badWords.get()).second)
      for (const std::vector<int32_t>& word : *badWords)
        for (const int32_t token : word) known = known && token >= 0 && token < vocabSize;
    if (!known)
      throw Error("TOKEN_OUT_OF_RANGE", "row " + std::to_string(row) +
                                            ": its labels or badWords hold a token id that is not from 0 to " +
                                            std::to_string(vocabSize - 1) + "; the model has no embedding for it");
  }
}

}  // namespace

int64_t lanesOf(const GenerateOptions& options) {
  return std::max(options.numBeams, options.numReturnSequences);
}

Decoding::Decoding(Executor& model, PromptedRows rows, std::vector<GenerateOptions> options, OnToken onToken,
                   int64_t maxLanes)
    : answers(rows.inputs.size()),
      model_(model),
      rows_(std::move(rows)),
      options_(std::move(options)),
      onToken_(std::move(onToken)),
      done_(answers.size()) {
  checkRows(rows_, model.config());
  checkSequences(options_, model.config().vocabSize);
  std::vector<int64_t> wanted, lanes;
  for (int64_t row = 0; row < std::ssize(answers); ++row) {
    lanes.push_back(lanesOf(options_[row]));
    if (options_[row].maxNewTokens > 0) {
      wanted.push_back(row);
    } else {
      answers[row].resize(options_[row].numReturnSequences);
      done_[row] = true;
    }
  }
  batches_ = batchesByLength(rows_, std::move(wanted), maxLanes, lanes);
  std::reverse(batches_.begin(), batches_.end());
}

Decoding::~Decoding() = default;

bool Decoding::step(YieldPoint& yieldPoint) {
  // Not inference mode: what an executor keeps from here (biases, packed weights) must stay usable in training.
  const at::NoGradGuard noGrad;
  Pass pass{yieldPoint};
  while (!batch_ && !batches_.empty()) {
    std::vector<int64_t> rows = std::move(batches_.back());
    batches_.pop_back();
    std::erase_if(rows, [&](int64_t row) { return done_[row]; });
    if (!rows.empty()) batch_ = std::make_unique<DecodingBatch>(model_, rows_, options_, rows, pass);
  }
  if (!batch_) return false;
  batch_->step(pass, onToken_, [&](int64_t row, std::vector<Generation> made) { answer(row, std::move(made)); });
  if (batch_->finished()) batch_.reset();
  return batch_ || !batches_.empty();
}

void Decoding::drop(int64_t row) {
  if (done_[row]) return;
  done_[row] = true;
  if (!batch_) return;
  batch_->drop(row);
  if (batch_->finished()) batch_.reset();
}

void Decoding::finish(int64_t row) {
  if (done_[row] || !batch_) return;
  batch_->finish(row, [&](int64_t of, std::vector<Generation> made) { answer(of, std::move(made)); });
  if (batch_->finished()) batch_.reset();
}

void Decoding::answer(int64_t row, std::vector<Generation> made) {
  answers[row] = std::move(made);
  done_[row] = true;
}

std::vector<std::vector<Generation>> generate(Executor& model, const PromptedRows& rows,
                                              const std::vector<GenerateOptions>& options, YieldPoint& yieldPoint,
                                              const OnToken& onToken, int64_t maxLanes) {
  Decoding decoding(model, rows, options, onToken, maxLanes);
  while (decoding.step(yieldPoint)) yieldPoint.pause();
  return std::move(decoding.answers);
}

}  // namespace softprompt
