#include "core/t5/plain_executor.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/jit/api/module.h>

#include <algorithm>

#include "core/t5/plain_trainable.h"

namespace softprompt {
namespace {

using Tensors = c10::List<at::Tensor>;

constexpr int64_t kEncoderSites =
    4;  // dropout sites of a block: attention, its output, inside the feed-forward, its output

constexpr int64_t kFirstCapacity = 16;  // decoded tokens that a new cache holds; doubled when full

struct BlockCache {
  at::Tensor keys, values;            // [B, H, capacity, d_kv], filled up to `length`
  at::Tensor crossKeys, crossValues;  // [B, H, S, d_kv]
};

class PlainCache final : public DecoderCache {
 public:
  void select(const at::Tensor& rows) override {
    c10::NoGradGuard noGrad;
    for (BlockCache& block : blocks) {
      for (at::Tensor* tensor : {&block.keys, &block.values, &block.crossKeys, &block.crossValues}) {
        *tensor = tensor->index_select(0, rows);
      }
    }
    crossBias = crossBias.index_select(0, rows);
  }

  // What was decoded alone: keys and values of the encoder's output stay where they are.
  void reorder(const at::Tensor& rows) override {
    c10::NoGradGuard noGrad;
    for (BlockCache& block : blocks) {
      for (at::Tensor* tensor : {&block.keys, &block.values}) {
        const at::Tensor filled = tensor->narrow(2, 0, length);
        filled.copy_(filled.index_select(0, rows));
      }
    }
  }

  void makeRoom() {
    const int64_t capacity = blocks[0].keys.size(2);
    if (length < capacity) return;
    for (BlockCache& block : blocks) {
      for (at::Tensor* tensor : {&block.keys, &block.values}) {
        at::Tensor larger =
            at::zeros({tensor->size(0), tensor->size(1), 2 * capacity, tensor->size(3)}, tensor->options());
        larger.narrow(2, 0, capacity).copy_(*tensor);
        *tensor = larger;
      }
    }
  }

  std::vector<BlockCache> blocks;
  at::Tensor crossBias;  // [B, 1, 1, S]
  int64_t length = 0;    // tokens decoded
};

// The masks of a stack's dropout sites, numbered from `first`; none where the pass has no dropout.
class Sites {
 public:
  Sites(const Pass& pass, int64_t first, at::ScalarType dtype, at::Device device)
      : masks_(pass.dropout), next_(first), dtype_(dtype), device_(device) {}

  bool isOn() const { return masks_ != nullptr; }
  at::Tensor mask(at::IntArrayRef shape) { return masks_->mask(next_++, shape).to(device_, dtype_); }
  at::Tensor dropped(const at::Tensor& hidden) {
    return isOn() ? hidden * mask({hidden.size(0), 1, hidden.size(2)}) : hidden;
  }

 private:
  const DropoutMasks* masks_;
  int64_t next_;
  at::ScalarType dtype_;
  at::Device device_;
};

class PlainExecutor final : public Executor {
 public:
  PlainExecutor(const T5Config& config, torch::jit::Module module)
      : config_(config),
        module_(std::move(module)),
        embedding_(module_.attr("shared").toModule().attr("weight").toTensor()) {
    encoder_ = blocksOf("encoder", config_.numLayers);
    decoder_ = blocksOf("decoder", config_.numDecoderLayers);
  }

  const T5Config& config() const override { return config_; }
  at::ScalarType dtype() const override { return embedding_.scalar_type(); }
  at::Device device() const override { return embedding_.device(); }

  at::Tensor embed(const at::Tensor& ids) override { return call(module_, "embed", {ids}).toTensor(); }

  Encoded encode(const at::Tensor& embeds, const at::Tensor& mask, Pass& pass) override {
    Sites sites(pass, 0, dtype(), device());
    at::Tensor hidden = sites.dropped(embeds.to(dtype())), bias;
    for (size_t i = 0; i < encoder_.size(); ++i) {
      pauseHere(pass, hidden);
      if (hasBias(i)) bias = call(encoder_[i], "bias", {mask}).toTensor();
      hidden = call(encoder_[i], "forward", {hidden, bias, encoderMasks(sites, hidden)}).toTensor();
    }
    pauseHere(pass, hidden);
    return {sites.dropped(finish("encoder", hidden)), mask};
  }

  at::Tensor decode(const at::Tensor& ids, const Encoded& encoded, Pass& pass) override {
    Sites sites(pass, 2 + kEncoderSites * config_.numLayers, dtype(), device());
    at::Tensor hidden = sites.dropped(embed(ids)), bias;
    const at::Tensor crossBias = call(module_, "cross_bias", {encoded.mask}).toTensor();
    for (size_t i = 0; i < decoder_.size(); ++i) {
      pauseHere(pass, hidden);
      if (hasBias(i)) bias = call(decoder_[i], "bias", {ids.size(1), 0}).toTensor();
      hidden = call(decoder_[i], "forward",
                    {hidden, bias, encoded.hidden, crossBias, decoderMasks(sites, hidden, encoded.hidden.size(1))})
                   .toTensor();
    }
    pauseHere(pass, hidden);
    return sites.dropped(finish("decoder", hidden));
  }

  at::Tensor logits(const at::Tensor& decoderHidden) override {
    return call(module_, "logits", {decoderHidden}).toTensor();
  }

  std::unique_ptr<DecoderCache> startCache(const Encoded& encoded, Pass& pass) override {
    c10::NoGradGuard noGrad;
    auto cache = std::make_unique<PlainCache>();
    cache->crossBias = call(module_, "cross_bias", {encoded.mask}).toTensor();
    for (torch::jit::Module& block : decoder_) {
      pass.yieldPoint.pause();
      const auto cross = call(block, "cross", {encoded.hidden}).toTuple();
      BlockCache made;
      made.crossKeys = cross->elements()[0].toTensor().contiguous();
      made.crossValues = cross->elements()[1].toTensor().contiguous();
      made.keys =
          at::zeros({encoded.hidden.size(0), config_.numHeads, kFirstCapacity, config_.dKv}, made.crossKeys.options());
      made.values = at::zeros_like(made.keys);
      cache->blocks.push_back(std::move(made));
    }
    return cache;
  }

  at::Tensor step(const at::Tensor& ids, DecoderCache& decoderCache, Pass& pass) override {
    c10::NoGradGuard noGrad;
    auto& cache = dynamic_cast<PlainCache&>(decoderCache);
    cache.makeRoom();
    const int64_t length = cache.length + 1;
    at::Tensor hidden = embed(ids.unsqueeze(1)), bias;
    for (size_t i = 0; i < decoder_.size(); ++i) {
      pass.yieldPoint.pause();
      BlockCache& block = cache.blocks[i];
      if (hasBias(i)) bias = call(decoder_[i], "bias", {1, cache.length}).toTensor();
      hidden = call(decoder_[i], "step",
                    {hidden, bias, block.keys.narrow(2, 0, length), block.values.narrow(2, 0, length), block.crossKeys,
                     block.crossValues, cache.crossBias})
                   .toTensor();
    }
    cache.length = length;
    return finish("decoder", hidden).squeeze(1);
  }

  std::unique_ptr<Trainable> trainable() override { return makePlainTrainable(config_, weightsOf(*this)); }

  std::vector<std::pair<std::string, at::Tensor>> parameters() const override {
    std::vector<std::pair<std::string, at::Tensor>> out;
    for (const auto& parameter : module_.named_parameters()) out.emplace_back(parameter.name, parameter.value);
    return out;
  }

 private:
  static c10::IValue call(const torch::jit::Module& module, const std::string& method,
                          std::vector<c10::IValue> arguments) {
    return module.get_method(method)(std::move(arguments));
  }

  std::vector<torch::jit::Module> blocksOf(const std::string& stack, int64_t count) const {
    const torch::jit::Module blocks = module_.attr(stack).toModule().attr("block").toModule();
    std::vector<torch::jit::Module> out;
    for (int64_t i = 0; i < count; ++i) out.push_back(blocks.attr(std::to_string(i)).toModule());
    return out;
  }

  bool hasBias(size_t block) const { return block == 0 || config_.biasInEveryBlock; }

  at::Tensor finish(const std::string& stack, const at::Tensor& hidden) const {
    return call(module_.attr(stack).toModule(), "finish", {hidden}).toTensor();
  }

  // Pauses now, and again when backward comes by: the hook runs on the thread that called backward.
  static void pauseHere(Pass& pass, const at::Tensor& hidden) {
    pass.yieldPoint.pause();
    if (!hidden.requires_grad()) return;
    hidden.register_hook([yieldPoint = &pass.yieldPoint](const at::Tensor&) { yieldPoint->pause(); });
  }

  Tensors encoderMasks(Sites& sites, const at::Tensor& hidden) const {
    Tensors masks;
    if (!sites.isOn()) return masks;
    masks.push_back(sites.mask({hidden.size(0), config_.numHeads, hidden.size(1), 1}));
    addFeedForwardMasks(sites, hidden, masks);
    return masks;
  }

  Tensors decoderMasks(Sites& sites, const at::Tensor& hidden, int64_t encoderLength) const {
    Tensors masks;
    if (!sites.isOn()) return masks;
    masks.push_back(sites.mask({hidden.size(0), config_.numHeads, hidden.size(1), 1}));
    masks.push_back(sites.mask({hidden.size(0), 1, config_.dModel}));
    masks.push_back(sites.mask({hidden.size(0), config_.numHeads, encoderLength, 1}));
    addFeedForwardMasks(sites, hidden, masks);
    return masks;
  }

  // The attention's output, inside the feed-forward, its output.
  void addFeedForwardMasks(Sites& sites, const at::Tensor& hidden, Tensors& masks) const {
    masks.push_back(sites.mask({hidden.size(0), 1, config_.dModel}));
    masks.push_back(sites.mask({hidden.size(0), 1, config_.dFf}));
    masks.push_back(sites.mask({hidden.size(0), 1, config_.dModel}));
  }

  T5Config config_;
  torch::jit::Module module_;
  at::Tensor embedding_;
  std::vector<torch::jit::Module> encoder_, decoder_;
};

}  // namespace

std::unique_ptr<Executor> makePlainExecutor(const T5Config& config, torch::jit::Module module) {
  return std::make_unique<PlainExecutor>(config, std::move(module));
}

}  // namespace softprompt
