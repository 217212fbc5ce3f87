#include "core/t5/fast_step.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

#include "core/t5/step_layers.h"

namespace softprompt {
namespace {

constexpr int64_t kTokens = 64;          // of the encoder's output that are projected together
constexpr int64_t kFirstPositions = 64;  // of the biases that are kept; doubled when more are needed

bool isFloat(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kFloat;
}

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

FastStep::FastStep(const FastModel& model, at::Tensor embedding, at::Tensor head, BiasesOf biasesOf)
    : model_(model), embedding_(std::move(embedding)), head_(std::move(head)), biasesOf_(std::move(biasesOf)) {}

std::unique_ptr<StepCache> FastStep::start(const at::Tensor& encoded, const Packing& packing, YieldPoint& yieldPoint) {
  const auto layers = static_cast<int64_t>(model_.weights.decoder.size());
  auto cache = std::make_unique<StepCache>(layers, model_.layers.shape(), head_.scalar_type(), lengthsOf(packing));
  for (int64_t layer = 0; layer < layers; ++layer) {
    yieldPoint.pause();
    isFloat(head_) ? project<float>(encoded, packing, layer, *cache)
                   : project<uint16_t>(encoded, packing, layer, *cache);
  }
  return cache;
}

// Some tokens at a time, so that their keys and values are still in the processor's cache when they are placed.
template <class T>
void FastStep::project(const at::Tensor& encoded, const Packing& packing, int64_t layer, StepCache& cache) {
  const HeadShape heads = model_.layers.shape();
  const int64_t inner = heads.inner(), width = 2 * inner, depth = encoded.size(1);
  const T* x = bitsOf<T>(encoded);
  const T* weight = bitsOf<T>(model_.weights.crossKeysValues) + layer * width * depth;
  const std::vector<Place> places = placesOf(packing);
  team().divide(encoded.size(0), kTokens, [&](int64_t from, int64_t to) {
    for (; from < to; from += kTokens) {
      const int64_t tokens = std::min(kTokens, to - from);
      float* keysValues = room(tokens * width);
      multiply(Product<T>{x + from * depth, tokens, weight, width, depth, keysValues, width});
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
  const at::Tensor hidden = embedding_.index_select(0, ids).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  return isFloat(head_) ? stepAs<float>(hidden, cache, yieldPoint) : stepAs<uint16_t>(hidden, cache, yieldPoint);
}

template <class T>
at::Tensor FastStep::stepAs(at::Tensor hidden, StepCache& cache, YieldPoint& yieldPoint) {
  cache.advance();
  const std::vector<at::Tensor> biases = biasesFor(cache.length());
  StepLayers<T> layers(model_, team(), cache, hidden);
  for (size_t i = 0; i < model_.weights.decoder.size(); ++i) {
    yieldPoint.pause();  // may decode another batch with the same team: nothing of it runs on now
    const at::Tensor& bias = biases[i];
    const int64_t known = bias.size(3);
    const float* rows = bias.const_data_ptr<float>() + known - cache.length();
    layers.run(static_cast<int64_t>(i), {rows, known});
  }
  at::Tensor out = at::empty(hidden.sizes(), head_.options());
  layers.finish(mutableBitsOf<T>(out));
  return out;
}

at::Tensor FastStep::logits(const at::Tensor& hidden) {
  const T5Config& config = model_.config;
  const at::Tensor scaled =
      config.scaleDecoderOutputs ? hidden.mul(std::pow(static_cast<double>(config.dModel), -0.5)) : hidden;
  return isFloat(head_) ? logitsAs<float>(scaled.contiguous()) : logitsAs<uint16_t>(scaled.contiguous());
}

template <class T>
at::Tensor FastStep::logitsAs(const at::Tensor& hidden) {
  at::Tensor out = at::empty({hidden.size(0), head_.size(0)}, at::TensorOptions(at::kFloat));
  const Product<T> product{bitsOf<T>(hidden), hidden.size(0), bitsOf<T>(head_),
                           head_.size(0),     hidden.size(1), out.mutable_data_ptr<float>(),
                           head_.size(0)};
  multiplyBy(team(), product);
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
