#include "core/generate/score.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/generate/choose.h"
#include "core/generate/rows.h"

namespace softprompt {
namespace {

// Logits are made in parts of at most this many values, 64 MB in float32, and never kept.
constexpr int64_t kMaxLogits = 16 << 20;
// Of a decoding batch of labels: enough for the processor's peak.
constexpr int64_t kMaxLanes = 256;

// log Pr of each pick's token; `picks` are in the order of their rows of `hidden` [n, d].
std::vector<float> logProbsOf(Executor& model, const at::Tensor& hidden, const std::vector<Pick>& picks) {
  std::vector<float> all = model.logProbs(hidden, picks);
  if (!all.empty() || picks.empty()) return all;
  const int64_t vocabSize = model.config().vocabSize, part = std::max<int64_t>(1, kMaxLogits / vocabSize);
  for (int64_t from = 0; from < hidden.size(0); from += part) {
    const int64_t rows = std::min(part, hidden.size(0) - from);
    std::vector<int64_t> flat;  // in this part's logits, [rows * V]
    for (size_t i = all.size(); i < picks.size() && picks[i].row < from + rows; ++i)
      flat.push_back((picks[i].row - from) * vocabSize + picks[i].token);
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

  std::vector<int64_t> real;  // the target's positions in [B * T], row after row
  std::vector<Pick> picks;
  for (int64_t b = 0; b < std::ssize(batch); ++b) {
    const std::span<const int32_t> target = targets.row(batch[b]);
    for (int64_t t = 0; t < std::ssize(target); ++t) {
      picks.push_back({std::ssize(real), target[t]});
      real.push_back(b * longest + t);
    }
  }
  const at::Tensor unpadded = hidden.reshape({-1, hidden.size(2)}).index_select(0, indexTensor(real, hidden.device()));
  const std::vector<float> logProbs = logProbsOf(model, unpadded, picks);
  auto next = logProbs.begin();
  for (const int64_t row : batch) {
    answers[row].assign(next, next + targets.length(row));
    next += targets.length(row);
  }
}

// From level to level of a tree of labels, for some rows. A lane is a prefix that goes on, of a row; a row's lanes lie
// side by side.
class LabelWalk {
 public:
  LabelWalk(Executor& model, DecoderCache& cache, const LabelTree& tree, int64_t rows)
      : model_(model), cache_(cache), tree_(tree), rows_(rows), sums_(rows, 0.0) {}

  // To sums [rows, `stride`], of which the tree's labels are the first columns.
  void run(Pass& pass, float* sums, int64_t stride) {
    for (size_t level = 0; level + 1 < tree_.levels.size(); ++level) {
      if (level > 0) goTo(level);
      goDown(level, pass);
      keepEnds(level + 1, sums, stride);
      pass.yieldPoint.pause();
    }
  }

 private:
  // Makes the lanes those of `level`, each of which goes on from its parent's.
  void goTo(size_t level) {
    const LabelTree::Level &here = tree_.levels[level], &above = tree_.levels[level - 1];
    std::vector<int64_t> from;
    for (int64_t row = 0; row < rows_; ++row)
      for (const LabelTree::Node& node : here.nodes)
        if (node.lane >= 0) from.push_back(row * above.lanes + above.nodes[node.parent].lane);
    cache_.select(indexTensor(from, model_.device()));
  }

  // A step of the lanes of `level`; sums_ becomes that of the nodes of the next.
  void goDown(size_t level, Pass& pass) {
    const LabelTree::Level &here = tree_.levels[level], &below = tree_.levels[level + 1];
    std::vector<int64_t> ids;
    for (int64_t row = 0; row < rows_; ++row)
      for (const LabelTree::Node& node : here.nodes)
        if (node.lane >= 0) ids.push_back(node.token);
    const at::Tensor hidden = model_.step(indexTensor(ids, model_.device()), cache_, pass);
    std::vector<Pick> picks;
    std::vector<double> sums;
    for (int64_t row = 0; row < rows_; ++row)
      for (const LabelTree::Node& node : below.nodes) {
        picks.push_back({row * here.lanes + here.nodes[node.parent].lane, node.token});
        sums.push_back(sums_[row * std::ssize(here.nodes) + node.parent]);
      }
    const std::vector<float> logProbs = logProbsOf(model_, hidden, picks);
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += logProbs[i];
    sums_ = std::move(sums);
  }

  void keepEnds(size_t level, float* sums, int64_t stride) const {
    for (size_t label = 0; label < tree_.ends.size(); ++label) {
      const auto [ofLevel, node] = tree_.ends[label];
      if (ofLevel != static_cast<int64_t>(level)) continue;
      for (int64_t row = 0; row < rows_; ++row)
        sums[row * stride + label] = static_cast<float>(sums_[row * std::ssize(tree_.levels[level].nodes) + node]);
    }
  }

  Executor& model_;
  DecoderCache& cache_;
  const LabelTree& tree_;
  const int64_t rows_;
  std::vector<double> sums_;  // [rows, nodes of a level]: log Pr(prefix)
};

std::vector<std::vector<int64_t>> batchesOf(const PromptedRows& rows, int64_t size) {
  std::vector<int64_t> all(rows.inputs.size());
  std::iota(all.begin(), all.end(), 0);
  auto batches = batchesByLength(rows, std::move(all), size);
  std::reverse(batches.begin(), batches.end());
  return batches;
}

std::vector<int64_t> takeLast(std::vector<std::vector<int64_t>>& batches) {
  std::vector<int64_t> last = std::move(batches.back());
  batches.pop_back();
  return last;
}

}  // namespace

Scoring::Scoring(Executor& model, PromptedRows rows, TokenRows targets, int64_t rowsAStep)
    : answers(rows.inputs.size()), model_(model), rows_(std::move(rows)), targets_(std::move(targets)) {
  checkRows(rows_, model.config());
  checkTargets(targets_, model.config(), "target");
  batches_ = batchesOf(rows_, rowsAStep);
}

bool Scoring::step(YieldPoint& yieldPoint) {
  if (batches_.empty()) return false;
  const at::NoGradGuard noGrad;
  Pass pass{yieldPoint};
  scoreBatch(model_, rows_, targets_, takeLast(batches_), pass, answers);
  return !batches_.empty();
}

Classifying::Classifying(Executor& model, PromptedRows rows, TokenRows labels, int64_t rowsAStep)
    : model_(model), rows_(std::move(rows)), labels_(std::move(labels)) {
  checkRows(rows_, model.config());
  checkTargets(labels_, model.config(), "label");
  answers = at::zeros({rows_.inputs.size(), labels_.size()}, at::kFloat);
  if (labels_.size() > 0) batches_ = batchesOf(rows_, rowsAStep);
}

bool Classifying::step(YieldPoint& yieldPoint) {
  const at::NoGradGuard noGrad;
  Pass pass{yieldPoint};
  if (batch_) {
    classifySome(pass);
  } else if (!batches_.empty()) {
    std::vector<int64_t> rows = takeLast(batches_);
    batch_ = std::make_unique<Batch>(Batch{rows, encodeRows(model_, rows_, rows, pass)});
    growTrees();
  }
  return batch_ || !batches_.empty();
}

// Where each lane has keys and values of the encoder's output of its own, these are what takes the memory.
int64_t Classifying::lanesAtMost() const {
  return sharesRows_ ? kMaxLanes : std::max<int64_t>(1, kMaxBatchPositions / batch_->encoded.hidden.size(1));
}

void Classifying::growTrees() {
  trees_.clear();
  const auto start = static_cast<int32_t>(model_.config().decoderStartTokenId);
  for (int64_t first = 0; first < labels_.size(); first += lanesAtMost())
    trees_.emplace_back(labels_, first, std::min(lanesAtMost(), labels_.size() - first), start);
}

// Of the next rows of the batch: as many as may be decoded together.
std::unique_ptr<DecoderCache> Classifying::startCache(int64_t& rows, Pass& pass) {
  const Encoded& all = batch_->encoded;
  int64_t widest = 1;
  for (const LabelTree& tree : trees_) widest = std::max(widest, tree.widest());
  rows = std::clamp<int64_t>(lanesAtMost() / widest, 1, all.hidden.size(0) - batch_->done);
  return model_.startCache({all.hidden.narrow(0, batch_->done, rows), all.mask.narrow(0, batch_->done, rows)}, pass);
}

void Classifying::classifySome(Pass& pass) {
  int64_t rows = 0, first = 0;
  std::unique_ptr<DecoderCache> cache = startCache(rows, pass);
  if (sharesRows_ && !cache->takesMore()) {
    sharesRows_ = false;
    growTrees();
    cache = startCache(rows, pass);
  }
  std::vector<float> sums(rows * labels_.size());
  for (const LabelTree& tree : trees_) {
    if (first > 0) cache = startCache(rows, pass);
    LabelWalk(model_, *cache, tree, rows).run(pass, sums.data() + first, labels_.size());
    first += std::ssize(tree.ends);
  }
  for (int64_t i = 0; i < rows; ++i)
    std::copy_n(sums.data() + i * labels_.size(), labels_.size(),
                answers.mutable_data_ptr<float>() + batch_->rows[batch_->done + i] * labels_.size());
  batch_->done += rows;
  if (batch_->done == std::ssize(batch_->rows)) batch_.reset();
}

std::vector<std::vector<float>> score(Executor& model, const PromptedRows& rows, const TokenRows& targets,
                                      YieldPoint& yieldPoint, int64_t rowsAStep) {
  Scoring scoring(model, rows, targets, rowsAStep);
  while (scoring.step(yieldPoint)) yieldPoint.pause();
  return std::move(scoring.answers);
}

at::Tensor classify(Executor& model, const PromptedRows& rows, const TokenRows& labels, YieldPoint& yieldPoint,
                    int64_t rowsAStep) {
  Classifying classifying(model, rows, labels, rowsAStep);
  while (classifying.step(yieldPoint)) yieldPoint.pause();
  return classifying.answers;
}

}  // namespace softprompt
