#include "core/t5/step_layers.h"

#include <algorithm>
#include <vector>

#include "core/ops/activation.h"
#include "core/ops/attend.h"
#include "core/ops/rms_norm.h"
#include "core/ops/simd.h"

namespace softprompt {
namespace {

constexpr int64_t kHeadsAPiece = 4;

template <class T>
std::vector<PastPart<T>>& partsRoom() {
  thread_local std::vector<PastPart<T>> own;
  return own;
}

}  // namespace

float* room(int64_t numbers) {
  thread_local std::vector<float> own;
  if (static_cast<int64_t>(own.size()) < numbers) own.resize(numbers);
  return own.data();
}

template <class T>
StepLayers<T>::StepLayers(const T5Config& config, const StepWeights& weights, Team& team, StepCache& cache,
                          const at::Tensor& hidden)
    : config_(config),
      weights_(weights),
      team_(team),
      cache_(cache),
      heads_{config.numHeads, config.dKv},
      lanes_(hidden.size(0)),
      hidden_(hidden.mutable_data_ptr<float>()),
      normed_(std::make_unique_for_overwrite<T[]>(lanes_ * config.dModel)),
      queries_(std::make_unique_for_overwrite<float[]>(lanes_ * 3 * heads_.inner())),
      inner_(std::make_unique_for_overwrite<T[]>(lanes_ * std::max(heads_.inner(), config.dFf))) {}

template <class T>
void StepLayers<T>::run(int64_t layer, BiasRows bias) {
  selfAttention(layer, bias);
  crossAttention(layer);
  feedForward(weights_.blocks[layer]);
}

template <class T>
void StepLayers<T>::finish(T* out) {
  norm(weights_.norm, out);
}

template <class T>
void StepLayers<T>::norm(const at::Tensor& weight, T* out) {
  const int64_t width = config_.dModel;
  const T* scale = bitsOf<T>(weight);
  const auto epsilon = static_cast<float>(config_.layerNormEpsilon);
  team_.divide(lanes_, std::max<int64_t>(1, lanes_ / team_.members()), [&](int64_t from, int64_t to) {
    rmsNorm({hidden_ + from * width, to - from, width, epsilon}, scale, out + from * width);
  });
}

// hidden += inner matrix^T
template <class T>
void StepLayers<T>::addProduct(const StepMatrix& matrix) {
  StepInput<T>(inner_.get(), lanes_, matrix).multiplyBy(team_, {hidden_, config_.dModel, true});
}

// attend(lane, head, out [d_kv]) for all; the outputs become rows of inner_ [B, i].
template <class T>
template <class Attend>
void StepLayers<T>::eachHead(const Attend& attend) {
  team_.divide(lanes_ * heads_.heads, lanes_ > 1 ? kHeadsAPiece : 1, [&](int64_t from, int64_t to) {
    for (int64_t task = from; task < to; ++task) {
      const int64_t lane = task / heads_.heads, head = task % heads_.heads;
      const float* out = attend(lane, head);
      T* place = inner_.get() + lane * heads_.inner() + head * heads_.size;
      for (int64_t k = 0; k < heads_.size; ++k) simd::store(place + k, out[k]);
    }
  });
}

template <class T>
void StepLayers<T>::selfAttention(int64_t layer, BiasRows bias) {
  const StepBlockWeights& weights = weights_.blocks[layer];
  const int64_t inner = heads_.inner(), width = 3 * inner;
  norm(weights.selfNorm, normed_.get());
  StepInput<T>(normed_.get(), lanes_, weights.qkv).multiplyBy(team_, {queries_.get(), width});
  eachHead([&](int64_t lane, int64_t head) {
    const float* query = queries_.get() + lane * width + head * heads_.size;
    const Slot<T> slot = cache_.newest<T>(layer, lane, head);
    placeInBlock(Placing<T>{query + inner, query + 2 * inner, slot.place, slot.keys, slot.values}, cache_.blockShape());
    auto& parts = partsRoom<T>();
    cache_.past<T>(layer, lane, head, parts);
    const int64_t length = cache_.length(lane);
    float* out = room(heads_.size + length + kBlockPositions);
    attend(query, std::span<const PastPart<T>>(parts), bias.of(head, length), length, cache_.blockShape(),
           out + heads_.size, out);
    return out;
  });
  addProduct(weights.selfOut);
}

template <class T>
void StepLayers<T>::crossAttention(int64_t layer) {
  const StepBlockWeights& weights = weights_.blocks[layer];
  const int64_t inner = heads_.inner();
  norm(weights.crossNorm, normed_.get());
  StepInput<T>(normed_.get(), lanes_, weights.q).multiplyBy(team_, {queries_.get(), inner});
  eachHead([&](int64_t lane, int64_t head) {
    const int64_t length = cache_.encodedLength(lane);
    auto& parts = partsRoom<T>();
    cache_.encoded<T>(layer, lane, head, parts);
    float* out = room(heads_.size + length + kBlockPositions);
    attend(queries_.get() + lane * inner + head * heads_.size, std::span<const PastPart<T>>(parts), nullptr, length,
           cache_.blockShape(), out + heads_.size, out);
    return out;
  });
  addProduct(weights.crossOut);
}

template <class T>
void StepLayers<T>::feedForward(const StepBlockWeights& weights) {
  const int64_t wide = weights.wo.depth;
  const FeedForward kind = config_.feedForward;
  const bool isGated = kind != FeedForward::kRelu;
  norm(weights.wideNorm, normed_.get());
  const StepInput<T> input(normed_.get(), lanes_, weights.wi);
  team_.divide(wide, input.columnsAPiece(team_, wide, isGated ? 2 : 1), [&](int64_t from, int64_t to) {
    const int64_t columns = to - from;
    float *first = room(2 * lanes_ * columns), *second = first + lanes_ * columns;
    input.multiply(from, columns, {first, columns});
    if (isGated) input.multiply(wide + from, columns, {second, columns});
    for (int64_t lane = 0; lane < lanes_; ++lane)
      activate(kind, first + lane * columns, second + lane * columns, columns, inner_.get() + lane * wide + from);
  });
  addProduct(weights.wo);
}

template class StepLayers<float>;
template class StepLayers<uint16_t>;

}  // namespace softprompt
