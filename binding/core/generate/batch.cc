#include "core/generate/batch.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "core/generate/processors.h"
#include "core/generate/rows.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

[[noreturn]] void refuseNotFinite(int64_t row) {
  throw Error("MODEL_NOT_FINITE", "row " + std::to_string(row) +
                                      ": the model's logits are not finite; check its weights, the size of the "
                                      "prompt's values, and whether dtype 'float32' helps");
}

// `found` outputs are fewer than the row wants.
[[noreturn]] void refuseForbidden(int64_t row, size_t found = 0) {
  throw Error("OPTION_INVALID", "row " + std::to_string(row) + ": its options allow only " + std::to_string(found) +
                                    " outputs, and forbid every other token; give fewer badWords, a larger "
                                    "noRepeatNgramSize, a smaller maxNewTokens or a smaller numReturnSequences");
}

// The lane of each running sequence; before the first token they may share one, which is then named once.
std::vector<int64_t> lanesOf(const Search& search) {
  std::vector<int64_t> lanes;
  for (const Sequence& sequence : search.running())
    if (lanes.empty() || lanes.back() != sequence.lane) lanes.push_back(sequence.lane);
  return lanes;
}

}  // namespace

void DecodingBatch::add(const std::vector<int64_t>& which, Pass& pass) {
  const auto start = static_cast<int32_t>(model_.config().decoderStartTokenId);
  const auto eos = static_cast<int32_t>(model_.config().eosTokenId);
  std::unique_ptr<DecoderCache> fresh = model_.startCache(encodeRows(model_, rows_, which, pass), pass);
  if (cache_) {
    cache_->append(*fresh);
  } else {
    cache_ = std::move(fresh);
  }
  for (const int64_t row : which) {
    const int64_t lane = lanes_++;
    const GenerateOptions& own = options_[row];
    auto search = own.numBeams > 1 ? makeBeamSearch(own, start, eos) : makeChains(own, start, eos);
    for (Sequence& sequence : search->running()) sequence.lane = lane;
    members_.push_back({row, std::move(search), lane, 1});
  }
}

BatchLoad DecodingBatch::load() const {
  BatchLoad load;
  for (const Member& member : members_) {
    const int64_t lanes = softprompt::lanesOf(optionsOf(member));
    load.lanes += lanes;
    load.positions += lanes * encoderLength(rows_, member.row);
  }
  return load;
}

void DecodingBatch::step(Pass& pass, const OnToken& onToken, const OnAnswers& onAnswers) {
  const at::Tensor hidden = model_.step(nextIds(), *cache_, pass);
  const RawScores raw = rawScores(model_.logits(hidden).to(at::kFloat).contiguous());
  for (const Group& group : groups()) {
    const Candidates candidates = candidatesOf(group, raw);
    auto next = candidates.begin();
    for (Member* member : group.members) {
      const auto end = next + std::ssize(member->search->running());
      extend(*member, {next, end}, onToken);
      next = end;
    }
  }
  settleEnded(onToken, onAnswers);
  if (!finished()) placeSequences();
}

void DecodingBatch::drop(int64_t row) {
  std::erase_if(members_, [&](const Member& member) { return member.row == row; });
}

void DecodingBatch::finish(int64_t row, const OnAnswers& onAnswers) {
  std::erase_if(members_, [&](const Member& member) {
    if (member.row != row || !member.search->finish()) return false;
    onAnswers(row, member.search->answers());
    return true;
  });
}

// int64 [lanes]: what each lane reads now.
at::Tensor DecodingBatch::nextIds() const {
  std::vector<int64_t> ids(lanes_, model_.config().padTokenId);
  for (const Member& member : members_)
    for (const Sequence& sequence : member.search->running()) ids[sequence.lane] = sequence.ids.back();
  return indexTensor(ids, model_.device());
}

// Greedy rows, rows that sample, and beam searches of each width. (Of a width: the best candidates of a lane are looked
// for in the same way whatever other rows there are.)
std::vector<DecodingBatch::Group> DecodingBatch::groups() {
  std::map<int64_t, Group> byKind;
  for (Member& member : members_) {
    const GenerateOptions& options = optionsOf(member);
    Group& group = byKind[options.doSample ? 0 : options.numBeams];
    group.members.push_back(&member);
    for (const int64_t lane : lanesOf(*member.search)) group.lanes.push_back(lane);
  }
  std::vector<Group> groups;
  for (auto& [kind, group] : byKind) groups.push_back(std::move(group));
  return groups;
}

// One list a running sequence of the group's members, in their order; `all` is of the batch's lanes.
DecodingBatch::Candidates DecodingBatch::candidatesOf(const Group& group, const RawScores& all) const {
  const GenerateOptions& options = optionsOf(*group.members[0]);
  const bool isBeams = options.numBeams > 1, isWhole = std::ssize(group.lanes) == lanes_;
  RawScores raw = all;
  if (!isWhole) {
    const at::Tensor lanes = indexTensor(group.lanes, raw.logits.device());
    raw = {raw.logits.index_select(0, lanes), raw.logSumExp.index_select(0, lanes)};
  }
  at::Tensor scores = isBeams ? raw.logits.sub(raw.logSumExp.unsqueeze(1)) : raw.logits;
  processFor(group, scores, !isBeams);
  if (options.doSample) return sampledBy(group, scores, raw);
  return chooseBest(scores, raw, isBeams ? kCandidatesPerBeam * options.numBeams : 1);
}

// `isShared`: the scores are needed as they were, too.
void DecodingBatch::processFor(const Group& group, at::Tensor& scores, bool isShared) const {
  std::vector<ScoredLane> lanes;
  bool isNeeded = false;
  for (const Member* member : group.members) {
    const GenerateOptions& options = optionsOf(*member);
    const bool mayDie = options.labels && options.numBeams > 1 && !member->search->answers().empty();
    int64_t last = -1;
    for (const Sequence& sequence : member->search->running()) {
      isNeeded = isNeeded || changesScores(options, sequence.length());
      if (sequence.lane != std::exchange(last, sequence.lane)) lanes.push_back({&options, sequence.ids, mayDie});
    }
  }
  if (!isNeeded) return;
  if (isShared) scores = scores.clone();
  processScores(scores, lanes, static_cast<int32_t>(model_.config().eosTokenId));
}

DecodingBatch::Candidates DecodingBatch::sampledBy(const Group& group, const at::Tensor& scores,
                                                   const RawScores& raw) const {
  std::vector<Draw> draws;
  int64_t lane = -1;  // of `scores`
  for (const Member* member : group.members) {
    int64_t last = -1;
    for (size_t i = 0; i < member->search->running().size(); ++i) {
      const Sequence& sequence = member->search->running()[i];
      if (sequence.lane != std::exchange(last, sequence.lane)) ++lane;
      draws.push_back({lane, &optionsOf(*member), member->search->number(i), static_cast<uint64_t>(sequence.length())});
    }
  }
  return chooseSampled(scores, raw, draws);
}

void DecodingBatch::extend(Member& member, const Candidates& candidates, const OnToken& onToken) const {
  const bool isChains = optionsOf(member).numBeams == 1;
  for (const auto& ofOne : candidates) {
    if (isChains && ofOne.empty()) refuseForbidden(member.row);
    for (const Candidate& candidate : ofOne)
      if (!std::isfinite(candidate.logProb)) refuseNotFinite(member.row);
  }
  if (onToken && isChains && !member.search->running().empty() && member.search->number(0) == 0)
    onToken(member.row, candidates[0][0].token);
  member.search->extend(candidates);
}

void DecodingBatch::settleEnded(const OnToken& onToken, const OnAnswers& onAnswers) {
  std::erase_if(members_, [&](const Member& member) {
    if (!member.search->running().empty()) return false;
    std::vector<Generation> answers = member.search->answers();
    if (std::ssize(answers) < optionsOf(member).numReturnSequences) refuseForbidden(member.row, answers.size());
    if (onToken && optionsOf(member).numBeams > 1)  // which of the beams it would be was not known before
      for (const int32_t token : answers[0].tokens) onToken(member.row, token);
    onAnswers(member.row, std::move(answers));
    return true;
  });
}

// Brings every sequence's past to the lane that it goes on in.
void DecodingBatch::placeSequences() {
  int64_t used = 0;
  bool fits = true;
  for (const Member& member : members_) {
    const int64_t wanted = std::ssize(member.search->running());
    used += wanted;
    fits = fits && wanted <= member.lanes;
  }
  const bool stays = fits && (cache_->takesMore() ? used == lanes_ : !worthShrinking(used, lanes_));
  std::vector<int64_t> from(stays ? lanes_ : used), identity(lanes_);
  std::iota(identity.begin(), identity.end(), 0);
  if (stays) from = identity;
  int64_t first = 0;
  for (Member& member : members_) {
    if (!stays) {
      member.firstLane = first;
      member.lanes = std::ssize(member.search->running());
      first += member.lanes;
    }
    int64_t lane = member.firstLane;
    for (Sequence& sequence : member.search->running()) {
      from[lane] = sequence.lane;
      sequence.lane = lane++;
    }
  }
  const bool isSame = from == identity;
  lanes_ = std::ssize(from);
  if (isSame) return;
  const at::Tensor rows = indexTensor(from, model_.device());
  stays ? cache_->reorder(rows) : cache_->select(rows);
}

}  // namespace softprompt
