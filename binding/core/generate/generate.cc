#include "core/generate/generate.h"

#include <ATen/core/grad_mode.h>

#include <cmath>
#include <string>

#include "core/generate/choose.h"
#include "core/generate/rows.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

// One batch being decoded. Place b of the decoding batch belongs to row `places[b]` of the call; a finished row keeps
// its place, its output unread, until enough of them are dropped together.
class GreedyBatch {
 public:
  GreedyBatch(Executor& model, const std::vector<GenerateOptions>& options, std::vector<Generation>& answers,
              const OnToken& onToken, std::vector<int64_t> rows)
      : model_(model), options_(options), answers_(answers), onToken_(onToken), places_(std::move(rows)) {
    finished_.assign(places_.size(), false);
    next_.assign(places_.size(), model.config().decoderStartTokenId);
  }

  void decode(const PromptedRows& rows, YieldPoint& yieldPoint) {
    Pass pass{yieldPoint};
    std::unique_ptr<DecoderCache> cache = model_.startCache(encodeRows(model_, rows, places_, pass), pass);
    while (true) {
      const at::Tensor hidden = model_.step(indexTensor(next_, model_.device()), *cache, pass);
      const Choice choice = chooseGreedy(model_.logits(hidden), mayEnd(), model_.config().eosTokenId);
      for (size_t b = 0; b < places_.size(); ++b)
        if (!finished_[b]) append(b, choice.tokens[b], choice.logProbs[b]);
      if (!shrink(*cache)) return;
      yieldPoint.pause();
    }
  }

 private:
  std::vector<bool> mayEnd() const {
    std::vector<bool> may(places_.size());
    for (size_t b = 0; b < places_.size(); ++b)
      may[b] = std::ssize(answers_[places_[b]].tokens) >= options_[places_[b]].minNewTokens;
    return may;
  }

  void append(size_t b, int64_t token, double logProb) {
    const int64_t row = places_[b];
    if (!std::isfinite(logProb))
      throw Error("MODEL_NOT_FINITE", "row " + std::to_string(row) +
                                          ": the model's logits are not finite; check its weights, the size of the "
                                          "prompt's values, and whether dtype 'float32' helps");
    Generation& answer = answers_[row];
    answer.tokens.push_back(static_cast<int32_t>(token));
    answer.logProb += logProb;
    next_[b] = token;
    const bool ended = token == model_.config().eosTokenId;
    if (ended) answer.finishReason = FinishReason::kEos;
    finished_[b] = ended || std::ssize(answer.tokens) >= options_[row].maxNewTokens;
    if (onToken_) onToken_(row, static_cast<int32_t>(token));
  }

  // False where every row is finished.
  bool shrink(DecoderCache& cache) {
    std::vector<int64_t> alive;
    for (size_t b = 0; b < places_.size(); ++b)
      if (!finished_[b]) alive.push_back(static_cast<int64_t>(b));
    if (alive.empty()) return false;
    if (!worthShrinking(std::ssize(alive), std::ssize(places_))) return true;
    for (size_t i = 0; i < alive.size(); ++i) {  // alive is ascending: nothing is overwritten before it is read
      places_[i] = places_[alive[i]];
      next_[i] = next_[alive[i]];
    }
    places_.resize(alive.size());
    next_.resize(alive.size());
    finished_.assign(alive.size(), false);
    cache.select(indexTensor(alive, model_.device()));
    return true;
  }

  Executor& model_;
  const std::vector<GenerateOptions>& options_;
  std::vector<Generation>& answers_;
  const OnToken& onToken_;
  std::vector<int64_t> places_;
  std::vector<bool> finished_;
  std::vector<int64_t> next_;  // the token that each place's next step reads
};

}  // namespace

std::vector<Generation> generate(Executor& model, const PromptedRows& rows, const std::vector<GenerateOptions>& options,
                                 YieldPoint& yieldPoint, const OnToken& onToken, int64_t maxBatch) {
  // Not inference mode: what an executor keeps from here (biases, packed weights) must stay usable in training.
  const at::NoGradGuard noGrad;
  checkRows(rows, model.config());
  std::vector<Generation> answers(rows.inputs.size());
  std::vector<int64_t> wanted;
  for (int64_t row = 0; row < rows.inputs.size(); ++row)
    if (options[row].maxNewTokens > 0) wanted.push_back(row);
  for (std::vector<int64_t>& batch : batchesByLength(rows, std::move(wanted), maxBatch))
    GreedyBatch(model, options, answers, onToken, std::move(batch)).decode(rows, yieldPoint);
  return answers;
}

}  // namespace softprompt
