#include "core/generate/score.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <numeric>

#include "core/generate/choose.h"
#include "core/generate/rows.h"

namespace softprompt {
namespace {

// Logits are made in parts of at most this many values, 64 MB in float32, and never kept.
constexpr int64_t kMaxLogits = 16 << 20;

// log Pr of tokens[i] under the decoder's hidden state places[i] of `hidden` [n, d]. `places` is ascending, may repeat.
std::vector<float> logProbsOf(Executor& model, const at::Tensor& hidden, const std::vector<int64_t>& places,
                              const std::vector<int64_t>& tokens) {
  const int64_t vocabSize = model.config().vocabSize, part = std::max<int64_t>(1, kMaxLogits / vocabSize);
  std::vector<float> all;
  all.reserve(places.size());
  for (int64_t from = 0; from < hidden.size(0); from += part) {
    const int64_t rows = std::min(part, hidden.size(0) - from);
    std::vector<int64_t> flat;  // in this part's logits, [rows * V]
    for (size_t i = all.size(); i < places.size() && places[i] < from + rows; ++i)
      flat.push_back((places[i] - from) * vocabSize + tokens[i]);
    const RawScores raw = rawScores(model.logits(hidden.narrow(0, from, rows)).to(at::kFloat));
    const std::vector<float> picked = logProbsAt(raw, flat);
    all.insert(all.end(), picked.begin(), picked.end());
  }
  return all;
}

// Teacher forcing: int64 [B, T], each target shifted right behind the start token and padded to the longest.
at::Tensor shiftedRight(const TokenRows& targets, const std::vector<int64_t>& batch, int64_t longest,
                        const T5Config& config) {
  std::vector<int64_t> ids(batch.size() * longest, config.padTokenId);
  auto out = ids.begin();
  for (const int64_t row : batch) {
    const std::span<const int32_t> target = targets.row(row);
    *out = config.decoderStartTokenId;
    std::copy(target.begin(), target.end() - 1, out + 1);
    out += longest;
  }
  return indexTensor(ids, at::kCPU).view({-1, longest});
}

void scoreBatch(Executor& model, const PromptedRows& rows, const TokenRows& targets, const std::vector<int64_t>& batch,
                Pass& pass, std::vector<std::vector<float>>& answers) {
  int64_t longest = 0;
  for (const int64_t row : batch) longest = std::max(longest, targets.length(row));
  const Encoded encoded = encodeRows(model, rows, batch, pass);
  const at::Tensor ids = shiftedRight(targets, batch, longest, model.config()).to(model.device());
  const at::Tensor hidden = model.decode(ids, encoded, pass);  // [B, T, d]

  std::vector<int64_t> real, tokens;  // the target's positions in [B * T], and its tokens, row after row
  for (int64_t b = 0; b < std::ssize(batch); ++b) {
    const std::span<const int32_t> target = targets.row(batch[b]);
    tokens.insert(tokens.end(), target.begin(), target.end());
    for (int64_t t = 0; t < std::ssize(target); ++t) real.push_back(b * longest + t);
  }
  const at::Tensor unpadded = hidden.reshape({-1, hidden.size(2)}).index_select(0, indexTensor(real, hidden.device()));
  std::iota(real.begin(), real.end(), 0);
  const std::vector<float> logProbs = logProbsOf(model, unpadded, real, tokens);
  auto next = logProbs.begin();
  for (const int64_t row : batch) {
    answers[row].assign(next, next + targets.length(row));
    next += targets.length(row);
  }
}

// One label for one row; `place` is where the decoding batch holds it.
struct Pair {
  int64_t row;
  int64_t label;
  int64_t place;
};

// Keeps the pairs whose label has a token at `position`.
void dropEnded(std::vector<Pair>& pairs, const TokenRows& labels, int64_t position) {
  std::erase_if(pairs, [&](const Pair& pair) { return labels.length(pair.label) <= position; });
}

// Makes place i of the decoding batch that of pairs[i].
void gatherPairs(std::vector<Pair>& pairs, DecoderCache& cache, at::Device device) {
  std::vector<int64_t> from;
  for (Pair& pair : pairs) {
    from.push_back(pair.place);
    pair.place = std::ssize(from) - 1;
  }
  cache.select(indexTensor(from, device));
}

// Adds log Pr(label) of labels first .. first + count for every encoded row to sums (double [rows, all labels]). One
// decoding step a label token: so a row's encoder keys and values are projected once and copied for its labels, and the
// first step, which reads the start token alone, is shared by all of them.
void sumLabels(Executor& model, const Encoded& encoded, const TokenRows& labels, int64_t first, int64_t count,
               double* sums, Pass& pass) {
  const int64_t rows = encoded.hidden.size(0);
  std::vector<Pair> pairs;  // in the order of their places
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t label = first; label < first + count; ++label) pairs.push_back({row, label, row});
  std::unique_ptr<DecoderCache> cache = model.startCache(encoded, pass);
  std::vector<int64_t> ids(rows, model.config().decoderStartTokenId);
  for (int64_t t = 0;; ++t) {
    const at::Tensor hidden = model.step(indexTensor(ids, model.device()), *cache, pass);
    std::vector<int64_t> places, tokens;
    for (const Pair& pair : pairs) {
      places.push_back(pair.place);
      tokens.push_back(labels.row(pair.label)[t]);
    }
    const std::vector<float> logProbs = logProbsOf(model, hidden, places, tokens);
    for (size_t i = 0; i < pairs.size(); ++i) sums[pairs[i].row * labels.size() + pairs[i].label] += logProbs[i];

    dropEnded(pairs, labels, t + 1);
    if (pairs.empty()) return;
    if (t == 0 || worthShrinking(std::ssize(pairs), std::ssize(ids))) {
      gatherPairs(pairs, *cache, model.device());
      ids.resize(pairs.size());
    }
    for (const Pair& pair : pairs) ids[pair.place] = labels.row(pair.label)[t];
    pass.yieldPoint.pause();
  }
}

// sums: double [rows of the batch, labels]. The decoding batch (rows x labels) is kept within kMaxBatchPositions
// encoder positions: fewer rows at a time, and fewer labels only where one row's are too many.
void classifyBatch(Executor& model, const Encoded& encoded, const TokenRows& labels, double* sums, Pass& pass) {
  const int64_t rows = encoded.hidden.size(0), room = std::max<int64_t>(1, kMaxBatchPositions / encoded.hidden.size(1));
  const int64_t labelsEach = std::min(room, labels.size());
  const int64_t rowsEach = std::clamp<int64_t>(room / labels.size(), 1, rows);
  for (int64_t row = 0; row < rows; row += rowsEach) {
    const int64_t some = std::min(rowsEach, rows - row);
    const Encoded part{encoded.hidden.narrow(0, row, some), encoded.mask.narrow(0, row, some)};
    for (int64_t first = 0; first < labels.size(); first += labelsEach)
      sumLabels(model, part, labels, first, std::min(labelsEach, labels.size() - first), sums + row * labels.size(),
                pass);
  }
}

std::vector<int64_t> allRows(const PromptedRows& rows) {
  std::vector<int64_t> all(rows.inputs.size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

std::vector<std::vector<float>> score(Executor& model, const PromptedRows& rows, const TokenRows& targets,
                                      YieldPoint& yieldPoint, int64_t maxBatch) {
  const at::NoGradGuard noGrad;
  checkRows(rows, model.config());
  checkTargets(targets, model.config(), "target");
  std::vector<std::vector<float>> answers(rows.inputs.size());
  Pass pass{yieldPoint};
  for (const std::vector<int64_t>& batch : batchesByLength(rows, allRows(rows), maxBatch)) {
    scoreBatch(model, rows, targets, batch, pass, answers);
    yieldPoint.pause();
  }
  return answers;
}

at::Tensor classify(Executor& model, const PromptedRows& rows, const TokenRows& labels, YieldPoint& yieldPoint,
                    int64_t maxBatch) {
  const at::NoGradGuard noGrad;
  checkRows(rows, model.config());
  checkTargets(labels, model.config(), "label");
  at::Tensor answers = at::zeros({rows.inputs.size(), labels.size()}, at::kFloat);
  if (labels.size() == 0) return answers;
  Pass pass{yieldPoint};
  for (const std::vector<int64_t>& batch : batchesByLength(rows, allRows(rows), maxBatch)) {
    std::vector<double> sums(batch.size() * labels.size(), 0.0);
    classifyBatch(model, encodeRows(model, rows, batch, pass), labels, sums.data(), pass);
    for (size_t b = 0; b < batch.size(); ++b)
      std::copy_n(sums.data() + b * labels.size(), labels.size(),
                  answers.mutable_data_ptr<float>() + batch[b] * labels.size());
  }
  return answers;
}

}  // namespace softprompt
