#include "core/t5/fast_trainable.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/ops/weight_gradient.h"
#include "core/t5/packing.h"
#include "core/t5/relative_buckets.h"

namespace softprompt {
namespace {

const std::string kBias = ".layer.0.SelfAttention.relative_attention_bias.weight";

class FastTrainable final : public Trainable {
 public:
  explicit FastTrainable(FastTrainableParts parts)
      : parts_(std::move(parts)), model_(parts_.model), sums_(zerosLike(model_.weights)) {
    for (const auto& [name, value] : parts_.parameters) {
      at::Tensor gradient = counterpart(value, model_.weights, sums_);
      if (!gradient.defined()) gradient = at::zeros(value.sizes(), value.options().dtype(at::kFloat));
      weights_.push_back({name, value, gradient});
    }
    embeddingSum_ = gradientOf("shared.weight");
    headSum_ = parts_.head.is_same(parts_.embedding) ? embeddingSum_ : gradientOf("lm_head.weight");
  }

  const std::vector<TrainableWeight>& weights() const override { return weights_; }

  at::Tensor forward(const TrainingBatch& batch, Pass& pass) override {
    const at::NoGradGuard noGrad;
    const auto packing = packingOf(batch.mask);
    if (!packing) throw std::logic_error("every row of a training batch has a token, and none behind its padding");
    const int64_t rows = batch.decoderIds.size(0), positions = batch.decoderIds.size(1);
    ids_ = batch.ids.flatten().index_select(0, packing->places);
    decoderIds_ = batch.decoderIds.index_select(0, packing->order).flatten();
    const at::Tensor places = std::get<1>(packing->order.sort());  // of each row in the packing's order
    places_ = places.index_select(0, batch.places.floor_divide(positions)) * positions + batch.places % positions;
    encoder_.emplace(model_, parts_.encoderBiases(packing->longest), *packing, pass, Keeps::kForWeights);
    decoder_.emplace(model_, parts_.decoderBiases(positions), *packing, positions, pass, Keeps::kForWeights);
    longest_ = packing->longest;
    positions_ = positions;
    const at::Tensor encoded = encoder_->forward(embedded(ids_));
    return decoder_->forward(embedded(decoderIds_), encoded).view({rows * positions, -1}).index_select(0, places_);
  }

  LogitsPass logits(const at::Tensor& hidden) override {
    const at::NoGradGuard noGrad;
    const double scale =
        model_.config.scaleDecoderOutputs ? std::pow(static_cast<double>(model_.config.dModel), -0.5) : 1;
    const at::Tensor scaled = scale == 1 ? hidden : hidden.mul(scale);
    return {at::linear(scaled, parts_.head), [this, scaled, scale](const at::Tensor& gradient) {
              addProductGradient(headSum_, gradient, scaled);
              const at::Tensor out = at::mm(gradient, parts_.head);
              return scale == 1 ? out : out.mul(scale);
            }};
  }

  void backward(const at::Tensor& gradient) override {
    const at::NoGradGuard noGrad;
    at::Tensor atHidden = at::zeros({decoderIds_.size(0), gradient.size(1)}, gradient.options());
    atHidden.index_copy_(0, places_, gradient);
    const StackSums decoderSums = sumsOf(model_.config.numDecoderLayers, positions_);
    const DecoderPass::Gradient decoded = decoder_->backward(atHidden, &decoderSums);
    addEmbeddingGradient(embeddingSum_, decoded.embedded, decoderIds_);
    const StackSums encoderSums = sumsOf(model_.config.numLayers, longest_);
    const at::Tensor embeddedGradient = encoder_->backward(decoded.encoded, &encoderSums);
    addEmbeddingGradient(embeddingSum_, embeddedGradient, ids_);
    addBiasGradients("decoder", decoderSums, positions_);
    addBiasGradients("encoder", encoderSums, longest_);
    encoder_.reset();
    decoder_.reset();
  }

 private:
  at::Tensor gradientOf(const std::string& name) const {
    for (const TrainableWeight& weight : weights_) {
      if (weight.name == name) return weight.gradient;
    }
    throw std::logic_error("there is no weight " + name);
  }

  at::Tensor embedded(const at::Tensor& ids) const {
    return parts_.embedding.detach().index_select(0, ids).to(at::kFloat);
  }

  StackSums sumsOf(int64_t blocks, int64_t positions) const {
    StackSums sums{sums_, {}};
    for (int64_t i = 0; i < blocks; ++i) {
      const bool hasOwn = i == 0 || model_.config.biasInEveryBlock;
      sums.distances.push_back(hasOwn ? at::zeros({model_.config.numHeads, 2 * positions - 1}) : sums.distances[0]);
    }
    return sums;
  }

  void addBiasGradients(const std::string& stack, const StackSums& sums, int64_t positions) const {
    const at::Tensor buckets = relativeBuckets(model_.config, positions, stack == "encoder");
    for (size_t i = 0; i < sums.distances.size(); ++i) {
      if (i > 0 && !model_.config.biasInEveryBlock) break;
      at::Tensor table = gradientOf(stack + ".block." + std::to_string(i) + kBias);  // [buckets, H]
      table.index_add_(0, buckets, sums.distances[i].t());
    }
  }

  FastTrainableParts parts_;
  const FastModel& model_;
  FusedWeights sums_;
  std::vector<TrainableWeight> weights_;
  at::Tensor embeddingSum_, headSum_;

  // Of the pass under way.
  std::optional<EncoderPass> encoder_;
  std::optional<DecoderPass> decoder_;
  at::Tensor ids_, decoderIds_;  // int64 [N and more], [B T]: in the packing's order
  at::Tensor places_;            // int64 [targets], in the packing's order
  int64_t longest_ = 0, positions_ = 0;
};

}  // namespace

std::unique_ptr<Trainable> makeFastTrainable(FastTrainableParts parts) {
  return std::make_unique<FastTrainable>(std::move(parts));
}

}  // namespace softprompt
