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

constexpr int64_t kLeastShare = 4;  // of the lanes, this part at least is filled at a time

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

Decoding::Decoding(Executor& model, OnToken onToken, int64_t maxLanes)
    : model_(model), onToken_(std::move(onToken)), maxLanes_(maxLanes) {}

Decoding::~Decoding() = default;

void Decoding::check(const PromptedRows& rows, const std::vector<GenerateOptions>& options, const T5Config& config) {
  checkRows(rows, config);
  checkSequences(options, config.vocabSize);
}

void Decoding::add(const PromptedRows& rows, const std::vector<GenerateOptions>& options) {
  check(rows, options, model_.config());
  const int64_t first = rows_.inputs.size();
  rows_.append(rows);
  for (const GenerateOptions& own : options) {
    options_.push_back(own);
    answers.emplace_back();
    done_.push_back(own.maxNewTokens <= 0);
    if (done_.back()) answers.back().resize(own.numReturnSequences);
  }
  std::vector<int64_t> all;  // of equal lengths, those that wait already come first
  for (int64_t row = std::ssize(answers); row-- > first;)
    if (!done_[row]) all.push_back(row);
  all.insert(all.end(), waiting_.begin(), waiting_.end());
  waiting_ = std::move(all);
  std::stable_sort(waiting_.begin(), waiting_.end(),
                   [&](int64_t a, int64_t b) { return encoderLength(rows_, a) < encoderLength(rows_, b); });
}

bool Decoding::takesMore() const {
  return !batch_ || batch_->takesMore();
}

int64_t Decoding::lanes() const {
  int64_t lanes = 0;
  for (size_t row = 0; row < done_.size(); ++row)
    if (!done_[row]) lanes += lanesOf(options_[row]);
  return lanes;
}

bool Decoding::step(YieldPoint& yieldPoint) {
  // Not inference mode: what an executor keeps from here (biases, packed weights) must stay usable in training.
  const at::NoGradGuard noGrad;
  Pass pass{yieldPoint};
  admit(pass);
  if (!batch_) return false;
  batch_->step(pass, onToken_, [&](int64_t row, std::vector<Generation> made) { answer(row, std::move(made)); });
  if (batch_->finished()) batch_.reset();
  return batch_ || !waiting_.empty();
}

void Decoding::admit(Pass& pass) {
  std::erase_if(waiting_, [&](int64_t row) { return done_[row]; });
  if (waiting_.empty() || !takesMore()) return;
  const std::vector<int64_t> rows = nextRows();
  if (rows.empty()) return;
  auto batch = batch_ ? std::move(batch_) : std::make_unique<DecodingBatch>(model_, rows_, options_);
  batch->add(rows, pass);
  batch_ = std::move(batch);
  waiting_.resize(waiting_.size() - rows.size());
}

// Those at the end of waiting_ that there is room for. While others are being decoded, not the few that would just fit:
// an encoder pass of few rows costs more a row.
std::vector<int64_t> Decoding::nextRows() {
  const BatchLoad load = batch_ ? batch_->load() : BatchLoad();
  std::vector<int64_t> rows;
  int64_t lanes = 0;
  const int64_t longest = encoderLength(rows_, waiting_.back());
  for (auto row = waiting_.rbegin(); row != waiting_.rend(); ++row) {
    const int64_t wanted = lanes + lanesOf(options_[*row]);
    const bool fits = load.lanes + wanted <= maxLanes_ && load.positions + wanted * longest <= kMaxBatchPositions;
    const bool isAlone = !batch_ && rows.empty();
    if (!fits && !isAlone) break;
    lanes = wanted;
    rows.push_back(*row);
  }
  const bool isWorthIt = !batch_ || rows.size() == waiting_.size() || lanes * kLeastShare >= maxLanes_;
  return isWorthIt ? rows : std::vector<int64_t>();
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
  Decoding decoding(model, onToken, maxLanes);
  decoding.add(rows, options);
  while (decoding.step(yieldPoint)) yieldPoint.pause();
  return std::move(decoding.answers);
}

}  // namespace softprompt
