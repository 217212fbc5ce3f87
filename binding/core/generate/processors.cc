#include "core/generate/processors.h"

#include <ATen/ops/where.h>

#include <algorithm>
#include <limits>
#include <set>

#include "core/generate/rows.h"

namespace softprompt {
namespace {

constexpr double kForbidden = -std::numeric_limits<double>::infinity();

// Which scores are changed how, as places in the flattened [lanes * V].
struct Edits {
  std::vector<int64_t> repeated;
  std::vector<float> penalties;  // one a repeated
  std::vector<int64_t> banned;
  std::vector<int64_t> constrained;  // lanes of which nothing is left but `kept` and `forced`
  std::vector<int64_t> kept;
  std::vector<int64_t> forced;  // kept with score 0
};

bool endsWith(std::span<const int32_t> ids, std::span<const int32_t> tail) {
  return ids.size() >= tail.size() && std::equal(tail.begin(), tail.end(), ids.end() - std::ssize(tail));
}

// Tokens that would complete an n-gram that is there already.
void banNgrams(std::span<const int32_t> ids, int64_t n, std::set<int32_t>& banned) {
  const std::span<const int32_t> tail = ids.last(std::min<size_t>(n - 1, ids.size()));
  for (int64_t end = n; end <= std::ssize(ids); ++end)
    if (endsWith(ids.first(end - 1), tail)) banned.insert(ids[end - 1]);
}

// Tokens that would complete a bad word; one that is </s> alone is let be.
void banWords(std::span<const int32_t> ids, const TokenSequences& words, int32_t eos, std::set<int32_t>& banned) {
  for (const std::vector<int32_t>& word : words) {
    if (word.empty() || (word.size() == 1 && word[0] == eos)) continue;
    if (endsWith(ids, std::span(word).first(word.size() - 1))) banned.insert(word.back());
  }
}

std::set<int32_t> bannedTokens(const ScoredLane& lane, int32_t eos) {
  std::set<int32_t> banned;
  const GenerateOptions& options = *lane.options;
  if (options.noRepeatNgramSize > 0) banNgrams(lane.ids, options.noRepeatNgramSize, banned);
  if (options.badWords) banWords(lane.ids, *options.badWords, eos, banned);
  if (std::ssize(lane.ids) - 1 < options.minNewTokens) banned.insert(eos);
  return banned;
}

// Collects the edits of one search after another.
class Planner {
 public:
  Planner(int64_t vocabSize, int32_t eos) : vocabSize_(vocabSize), eos_(eos) {}

  // `lanes` are those of one search, the first of them lane `first` of the scores.
  void addRow(std::span<const ScoredLane> lanes, int64_t first) {
    const GenerateOptions& options = *lanes[0].options;
    std::vector<std::vector<int32_t>> allowed(lanes.size());
    bool satisfiable = lanes[0].mayDie;
    for (size_t i = 0; i < lanes.size(); ++i) {
      const int64_t start = (first + static_cast<int64_t>(i)) * vocabSize_;
      if (options.repetitionPenalty != 1) penalise(lanes[i].ids, options.repetitionPenalty, start);
      const std::set<int32_t> banned = bannedTokens(lanes[i], eos_);
      if (!options.labels) {
        for (const int32_t token : banned) edits.banned.push_back(start + token);
        continue;
      }
      edits.constrained.push_back(first + static_cast<int64_t>(i));
      for (const int32_t token : options.labels->next(lanes[i].ids.subspan(1)))
        if (!banned.contains(token)) allowed[i].push_back(token);
      satisfiable = satisfiable || !allowed[i].empty();
    }
    if (options.labels) constrain(lanes, first, allowed, satisfiable);
  }

  Edits edits;

 private:
  void penalise(std::span<const int32_t> ids, double penalty, int64_t start) {
    for (const int32_t token : std::set<int32_t>(ids.begin(), ids.end())) {
      edits.repeated.push_back(start + token);
      edits.penalties.push_back(static_cast<float>(penalty));
    }
  }

  void constrain(std::span<const ScoredLane> lanes, int64_t first, const std::vector<std::vector<int32_t>>& allowed,
                 bool satisfiable) {
    for (size_t i = 0; i < lanes.size(); ++i) {
      const int64_t start = (first + static_cast<int64_t>(i)) * vocabSize_;
      const auto tokens = satisfiable ? allowed[i] : lanes[i].options->labels->next(lanes[i].ids.subspan(1));
      for (const int32_t token : tokens) (satisfiable ? edits.kept : edits.forced).push_back(start + token);
    }
  }

  const int64_t vocabSize_;
  const int32_t eos_;
};

void apply(const Edits& edits, at::Tensor& scores) {
  const at::Device device = scores.device();
  at::Tensor flat = scores.view({-1});
  if (!edits.repeated.empty()) {
    const at::Tensor where = indexTensor(edits.repeated, device), penalty = floatTensor(edits.penalties, device);
    const at::Tensor old = flat.index_select(0, where);
    flat.index_copy_(0, where, at::where(old.lt(0), old.mul(penalty), old.div(penalty)));
  }
  if (!edits.banned.empty()) flat.index_fill_(0, indexTensor(edits.banned, device), kForbidden);
  if (edits.constrained.empty()) return;
  const at::Tensor where = indexTensor(edits.kept, device), kept = flat.index_select(0, where);
  scores.index_fill_(0, indexTensor(edits.constrained, device), kForbidden);
  flat.index_copy_(0, where, kept);
  if (!edits.forced.empty()) flat.index_fill_(0, indexTensor(edits.forced, device), 0);
}

}  // namespace

bool changesScores(const GenerateOptions& options, int64_t length) {
  return options.repetitionPenalty != 1 || options.noRepeatNgramSize > 0 || options.badWords || options.labels ||
         length < options.minNewTokens;
}

void processScores(at::Tensor& scores, const std::vector<ScoredLane>& lanes, int32_t eos) {
  Planner planner(scores.size(1), eos);
  for (size_t first = 0, end = 0; first < lanes.size(); first = end) {
    const GenerateOptions* options = lanes[first].options;
    do ++end;  // samples stand for themselves, beams together
    while (options->numBeams > 1 && end < lanes.size() && lanes[end].options == options);
    planner.addRow(std::span(lanes).subspan(first, end - first), static_cast<int64_t>(first));
  }
  apply(planner.edits, scores);
}

}  // namespace softprompt
