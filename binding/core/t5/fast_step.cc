#include "core/t5/fast_step.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/ops/vocabulary.h"
#include "core/t5/step_layers.h"

namespace softprompt {
namespace {

constexpr int64_t kTokens = 64;          // of the encoder's output that are projected together
constexpr int64_t kWords = 512;          // whose logits are made together, for
constexpr int64_t kLogitRows = 128;      // so many rows
constexpr int64_t kFirstPositions = 64;  // of the biases that are kept; doubled when more are needed

std::vector<int64_t> lengthsOf(const Packing& packing) {
  std::vector<int64_t> lengths(packing.order.numel());
  const int64_t* order = packing.order.const_data_ptr<int64_t>();
  for (const RowGroup& group : packing.groups)
    for (int64_t row = group.row; row < group.row + group.rows; ++row) lengths[order[row]] = group.length;
  return lengths;
}

// A token of the encoder's output: which row's, and its position there.
struct Place {
  int64_t row, position;
};

std::vector<Place> placesOf(const Packing& packing) {
  std::vector<Place> places;
  const int64_t* order = packing.order.const_data_ptr<int64_t>();
  for (const RowGroup& group : packing.groups)
    for (int64_t row = group.row; row < group.row + group.rows; ++row)
      for (int64_t position = 0; position < group.length; ++position) places.push_back({order[row], position});
  return places;
}

}  // namespace

FastStep::FastStep(const T5Config& config, StepWeights weights, BiasesOf biasesOf)
    : config_(config), weights_(std::move(weights)), biasesOf_(std::move(biasesOf)) {}

std::unique_ptr<StepCache> FastStep::start(const at::Tensor& hidden, const Packing& packing, YieldPoint& yieldPoint) {
  const at::NoGradGuard noGrad;
  const auto layers = static_cast<int64_t>(weights_.blocks.size());
  const at::Tensor encoded = hidden.flatten(0, 1).index_select(0, packing.places.narrow(0, 0, packing.tokens));
  auto cache = std::make_unique<StepCache>(layers, heads(), weights_.embedding.scalar_type(), lengthsOf(packing));
  for (int64_t layer = 0; layer < layers; ++layer) {
    yieldPoint.pause();
    isFloat() ? project<float>(encoded, packing, layer, *cache) : project<uint16_t>(encoded, packing, layer, *cache);
  }
  return cache;
}

// Some tokens at a time, so that their keys and values are still in the processor's cache when they are placed.
template <class T>
void FastStep::project(const at::Tensor& encoded, const Packing& packing, int64_t layer, StepCache& cache) {
  const HeadShape heads = this->heads();
  const int64_t inner = heads.inner(), width = 2 * inner, depth = encoded.size(1);
  const T* x = bitsOf<T>(encoded);
  const std::vector<Place> places = placesOf(packing);
  team().divide(encoded.size(0), kTokens, [&](int64_t from, int64_t to) {
    for (; from < to; from += kTokens) {
      const int64_t tokens = std::min(kTokens, to - from);
      float* keysValues = room(tokens * width);
      StepInput<T>(x + from * depth, tokens, weights_.crossKeysValues)
          .multiply(layer * width, width, {keysValues, width});
      for (int64_t token = 0; token < tokens; ++token) {
        const auto [row, position] = places[from + token];
        for (int64_t head = 0; head < heads.heads; ++head) {
          const float* key = keysValues + token * width + head * heads.size;
          const Slot<T> slot = cache.encodedSlot<T>(layer, row, head, position);
          placeInBlock(Placing<T>{key, key + inner, slot.place, slot.keys, slot.values}, {heads.size});
        }
      }
    }
  });
}

at::Tensor FastStep::step(const at::Tensor& ids, StepCache& cache, YieldPoint& yieldPoint) {
  const at::NoGradGuard noGrad;
  const at::Tensor hidden =
      weights_.embedding.index_select(0, ids).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  return isFloat() ? stepAs<float>(hidden, cache, yieldPoint) : stepAs<uint16_t>(hidden, cache, yieldPoint);
}

template <class T>
at::Tensor FastStep::stepAs(at::Tensor hidden, StepCache& cache, YieldPoint& yieldPoint) {
  cache.advance();
  const std::vector<at::Tensor> biases = biasesFor(cache.longest());
  StepLayers<T> layers(config_, weights_, team(), cache, hidden);
  for (size_t i = 0; i < weights_.blocks.size(); ++i) {
    yieldPoint.pause();  // may decode another batch with the same team: nothing of it runs on now
    layers.run(static_cast<int64_t>(i), {biases[i].const_data_ptr<float>(), biases[i].size(3)});
  }
  at::Tensor out = at::empty(hidden.sizes(), weights_.embedding.options());
  layers.finish(mutableBitsOf<T>(out));
  return out;
}

at::Tensor FastStep::scaled(const at::Tensor& hidden) const {
  const double scale = config_.scaleDecoderOutputs ? std::pow(static_cast<double>(config_.dModel), -0.5) : 1;
  return (scale == 1 ? hidden : hidden.mul(scale)).contiguous();
}

at::Tensor FastStep::logits(const at::Tensor& hidden) {
  const at::NoGradGuard noGrad;
  return isFloat() ? logitsAs<float>(scaled(hidden)) : logitsAs<uint16_t>(scaled(hidden));
}

template <class T>
at::Tensor FastStep::logitsAs(const at::Tensor& hidden) {
  const int64_t words = weights_.head.columns;
  at::Tensor out = at::empty({hidden.size(0), words}, at::TensorOptions(at::kFloat));
  StepInput<T>(bitsOf<T>(hidden), hidden.size(0), weights_.head)
      .multiplyBy(team(), {out.mutable_data_ptr<float>(), words});
  return out;
}

std::vector<float> FastStep::logProbs(const at::Tensor& hidden, const std::vector<Pick>& picks) {
  const at::NoGradGuard noGrad;
  return isFloat() ? logProbsAs<float>(scaled(hidden), picks) : logProbsAs<uint16_t>(scaled(hidden), picks);
}

// The vocabulary in parts whose logits stay in the processor's cache; `picks` are in the order of their rows.
template <class T>
std::vector<float> FastStep::logProbsAs(const at::Tensor& hidden, const std::vector<Pick>& picks) {
  const int64_t depth = hidden.size(1), words = weights_.head.columns;
  const int64_t parts = (words + kWords - 1) / kWords;
  std::vector<float> out(picks.size());
  std::vector<LogSum> sums(std::min(kLogitRows, hidden.size(0)) * parts);
  size_t pick = 0;
  for (int64_t row = 0; row < hidden.size(0); row += kLogitRows) {
    const int64_t rows = std::min(kLogitRows, hidden.size(0) - row);
    const StepInput<T> input(bitsOf<T>(hidden) + row * depth, rows, weights_.head);
    team().divide(parts, 1, [&](int64_t part, int64_t last) {
      for (; part < last; ++part) {
        const int64_t from = part * kWords, count = std::min(kWords, words - from);
        float* logits = room(rows * count);
        input.multiply(from, count, {logits, count});
        for (int64_t i = 0; i < rows; ++i) sums[i * parts + part] = logSumOf(logits + i * count, count);
      }
    });
    int64_t known = -1;
    for (float sum = 0; pick < picks.size() && picks[pick].row < row + rows; ++pick) {
      const int64_t here = picks[pick].row - row;
      if (std::exchange(known, here) != here) sum = logOf({sums.data() + here * parts, static_cast<size_t>(parts)});
      out[pick] = input.at(here, picks[pick].token) - sum;
    }
  }
  return out;
}

// Threads as LibTorch has them on this thread.
Team& FastStep::team() {
  const int members = at::get_num_threads();
  if (!team_ || team_->members() != members) team_ = std::make_unique<Team>(members);
  return *team_;
}

std::vector<at::Tensor> FastStep::biasesFor(int64_t positions) {
  int64_t known = biases_.empty() ? 0 : biases_[0].size(3);
  if (known < positions) {
    known = std::max(kFirstPositions, known);
    while (known < positions) known *= 2;
    biases_ = biasesOf_(known);
  }
  return biases_;
}

}  // namespace softprompt
