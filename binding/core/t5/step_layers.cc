#include "core/t5/step_layers.h"

#include <algorithm>
#include <vector>

#include "core/ops/activation.h"
#include "core/ops/attend.h"
#include "core/ops/rms_norm.h"
#include "core/ops/simd.h"

namespace softprompt {
namespace {

constexpr int64_t kPieces = 6;         // of a product for each member: who was late does fewer
constexpr int64_t kLeastBytes = 8192;  // of weights in a piece
constexpr int64_t kColumns = 16;       // a piece's columns are a multiple
constexpr int64_t kHeadsAPiece = 4;

// How many of `columns`, each `bytes` of weights, a member takes at a time.
int64_t columnsAPiece(const Team& team, int64_t columns, int64_t bytes) {
  if (team.members() == 1) return columns;
  const int64_t wanted = std::max(columns / (kPieces * team.members()), kLeastBytes / bytes);
  return (wanted + kColumns - 1) / kColumns * kColumns;
}

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
void multiplyBy(Team& team, const Product<T>& product) {
  const int64_t piece = columnsAPiece(team, product.columns, product.depth * static_cast<int64_t>(sizeof(T)));
  team.divide(product.columns, piece, [&](int64_t from, int64_t to) {
    Product<T> part = product;
    part.weight += from * product.depth;
    part.columns = to - from;
    part.y += from;
    multiply(part);
  });
}

template <class T>
StepLayers<T>::StepLayers(const FastModel& model, Team& team, StepCache& cache, const at::Tensor& hidden)
    : model_(model),
      team_(team),
      cache_(cache),
      heads_(model.layers.shape()),
      lanes_(hidden.size(0)),
      hidden_(hidden.mutable_data_ptr<float>()),
      normed_(std::make_unique_for_overwrite<T[]>(lanes_ * model.config.dModel)),
      queries_(std::make_unique_for_overwrite<float[]>(lanes_ * 3 * heads_.inner())),
      inner_(std::make_unique_for_overwrite<T[]>(lanes_ * std::max(heads_.inner(), model.config.dFf))) {}

template <class T>
void StepLayers<T>::run(int64_t layer, BiasRows bias) {
  selfAttention(layer, bias);
  crossAttention(layer);
  feedForward(model_.weights.decoder[layer].feedForward);
}

template <class T>
void StepLayers<T>::finish(T* out) {
  norm(model_.weights.decoderNorm, out);
}

template <class T>
void StepLayers<T>::norm(const at::Tensor& weight, T* out) {
  const int64_t width = model_.config.dModel;
  const T* scale = bitsOf<T>(weight);
  const auto epsilon = static_cast<float>(model_.layers.epsilon());
  team_.divide(lanes_, std::max<int64_t>(1, lanes_ / team_.members()), [&](int64_t from, int64_t to) {
    rmsNorm({hidden_ + from * width, to - from, width, epsilon}, scale, out + from * width);
  });
}

// hidden += x weight^T
template <class T>
void StepLayers<T>::addProduct(const T* x, const at::Tensor& weight) {
  multiplyBy<T>(team_, {x, lanes_, bitsOf<T>(weight), weight.size(0), weight.size(1), hidden_, weight.size(0), true});
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
  const SelfAttentionWeights& weights = model_.weights.decoder[layer].self;
  const int64_t inner = heads_.inner(), width = 3 * inner, length = cache_.length();
  norm(weights.norm, normed_.get());
  multiplyBy<T>(team_,
                {normed_.get(), lanes_, bitsOf<T>(weights.qkv), width, model_.config.dModel, queries_.get(), width});
  eachHead([&](int64_t lane, int64_t head) {
    const float* query = queries_.get() + lane * width + head * heads_.size;
    const Slot<T> slot = cache_.newest<T>(layer, lane, head);
    placeInBlock(Placing<T>{query + inner, query + 2 * inner, slot.place, slot.keys, slot.values}, cache_.blockShape());
    auto& parts = partsRoom<T>();
    cache_.past<T>(layer, lane, head, parts);
    float* out = room(heads_.size + length + kBlockPositions);
    attend(query, std::span<const PastPart<T>>(parts), bias.rows + head * bias.stride, length, cache_.blockShape(),
           out + heads_.size, out);
    return out;
  });
  addProduct(inner_.get(), weights.o);
}

template <class T>
void StepLayers<T>::crossAttention(int64_t layer) {
  const CrossAttentionWeights& weights = model_.weights.decoder[layer].cross;
  const int64_t inner = heads_.inner();
  norm(weights.norm, normed_.get());
  multiplyBy<T>(team_,
                {normed_.get(), lanes_, bitsOf<T>(weights.q), inner, model_.config.dModel, queries_.get(), inner});
  eachHead([&](int64_t lane, int64_t head) {
    const int64_t length = cache_.encodedLength(lane);
    auto& parts = partsRoom<T>();
    cache_.encoded<T>(layer, lane, head, parts);
    float* out = room(heads_.size + length + kBlockPositions);
    attend(queries_.get() + lane * inner + head * heads_.size, std::span<const PastPart<T>>(parts), nullptr, length,
           cache_.blockShape(), out + heads_.size, out);
    return out;
  });
  addProduct(inner_.get(), weights.o);
}

template <class T>
void StepLayers<T>::feedForward(const FeedForwardWeights& weights) {
  const int64_t width = model_.config.dModel, wide = weights.wo.size(1);
  const FeedForward kind = model_.config.feedForward;
  const bool isGated = kind != FeedForward::kRelu;
  norm(weights.norm, normed_.get());
  const int64_t piece = columnsAPiece(team_, wide, (isGated ? 2 : 1) * width * static_cast<int64_t>(sizeof(T)));
  team_.divide(wide, piece, [&](int64_t from, int64_t to) {
    const int64_t columns = to - from;
    float *first = room(2 * lanes_ * columns), *second = first + lanes_ * columns;
    const T* wi = bitsOf<T>(weights.wi) + from * width;
    multiply(Product<T>{normed_.get(), lanes_, wi, columns, width, first, columns});
    if (isGated) multiply(Product<T>{normed_.get(), lanes_, wi + wide * width, columns, width, second, columns});
    for (int64_t lane = 0; lane < lanes_; ++lane)
      activate(kind, first + lane * columns, second + lane * columns, columns, inner_.get() + lane * wide + from);
  });
  addProduct(inner_.get(), weights.wo);
}

template class StepLayers<float>;
template class StepLayers<uint16_t>;
template void multiplyBy(Team&, const Product<float>&);
template void multiplyBy(Team&, const Product<uint16_t>&);

}  // namespace softprompt
