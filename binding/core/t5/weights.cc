#include "core/t5/weights.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "core/runtime/error.h"
#include "core/runtime/sha256.h"
#include "core/t5/parameters.h"

namespace softprompt {
namespace {

constexpr const char* kShared = "shared.weight";
constexpr const char* kHead = "lm_head.weight";
constexpr const char* kCopies[] = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"};
// Written by an early version of Hugging Face's converter, never used by the network.
constexpr const char* kStray = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";

std::string shapeText(at::IntArrayRef shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out.append(i ? ", " : "").append(std::to_string(shape[i]));
  return out + "]";
}

// The fields that change a result. Not: names, dropout, and how the head came to be scaled.
std::string mathsOf(const T5Config& c) {
  char text[512];
  std::snprintf(text, sizeof text, "t5 %lld %lld %lld %lld %lld %lld %lld %lld %lld %.17g %d %d %d %lld %lld %lld\n",
                static_cast<long long>(c.dModel), static_cast<long long>(c.dKv), static_cast<long long>(c.dFf),
                static_cast<long long>(c.numLayers), static_cast<long long>(c.numDecoderLayers),
                static_cast<long long>(c.numHeads), static_cast<long long>(c.vocabSize),
                static_cast<long long>(c.relativeAttentionNumBuckets),
                static_cast<long long>(c.relativeAttentionMaxDistance), c.layerNormEpsilon,
                static_cast<int>(c.feedForward), c.scaleDecoderOutputs, c.biasInEveryBlock,
                static_cast<long long>(c.decoderStartTokenId), static_cast<long long>(c.padTokenId),
                static_cast<long long>(c.eosTokenId));
  return text;
}

class Reader {
 public:
  Reader(const TensorSource& source, const T5Config& config, const WeightOptions& options, YieldPoint& yieldPoint)
      : source_(source), config_(config), options_(options), yieldPoint_(yieldPoint), specs_(parameterSpecs(config)) {}

  Weights read() {
    checkNames();
    for (const ParameterSpec& spec : specs_) checkTensor(spec);
    if (source_.find(kHead)) checkTensor({kHead, specs_[0].shape});

    const at::Tensor shared = readChecked({kShared, specs_[0].shape});
    checkCopies(shared);
    keep(kShared, shared);
    for (size_t i = 1; i < specs_.size(); ++i) keep(specs_[i].name, readChecked(specs_[i]));
    if (source_.find(kHead)) {
      const at::Tensor head = readChecked({kHead, specs_[0].shape});
      if (!at::equal(head, shared)) keep(kHead, head);
    }
    return {std::move(tensors_), fingerprint_.hex(config_)};
  }

 private:
  // Where the embedding stands: "shared", or in families without it the decoder's or encoder's own.
  std::string nameInFile(const std::string& name) const {
    if (name != kShared || source_.find(name)) return name;
    for (const char* copy : kCopies) {
      if (source_.find(copy)) return copy;
    }
    return name;
  }

  void checkNames() const {
    std::set<std::string> known{kShared, kHead, kStray, kCopies[0], kCopies[1]};
    for (const ParameterSpec& spec : specs_) known.insert(spec.name);
    for (const TensorInfo& info : source_.tensors()) {
      if (!known.contains(info.name)) {
        throw Error("MODEL_TENSOR_UNKNOWN", source_.path() + ": the tensor " + info.name +
                                                " has no place in the network that config.json describes; the two "
                                                "belong to different models, or this kind of T5 is not supported");
      }
    }
  }

  void checkTensor(const ParameterSpec& spec) const {
    const std::string name = nameInFile(spec.name);
    const TensorInfo* info = source_.find(name);
    if (!info) {
      throw Error("MODEL_TENSOR_MISSING", source_.path() + ": the tensor " + name + " " + shapeText(spec.shape) +
                                              ", which config.json demands, is missing");
    }
    if (info->shape != spec.shape) {
      throw Error("MODEL_TENSOR_SHAPE", source_.path() + ": the tensor " + name + " is " + shapeText(info->shape) +
                                            ", but config.json demands " + shapeText(spec.shape));
    }
    if (info->dtype != "F32" && info->dtype != "BF16" && info->dtype != "F16") {
      throw Error("MODEL_TENSOR_DTYPE", source_.path() + ": the tensor " + name + " has dtype " + info->dtype +
                                            "; F32, BF16 and F16 are read");
    }
  }

  // float32, on the CPU, finite.
  at::Tensor readChecked(const ParameterSpec& spec) const {
    yieldPoint_.pause();
    const std::string name = nameInFile(spec.name);
    at::Tensor values = source_.read(name).to(at::kFloat);
    if (!at::isfinite(values).all().item<bool>()) {
      throw Error("MODEL_NOT_FINITE", source_.path() + ": the tensor " + name +
                                          " holds NaN or infinity; the file is damaged or the training diverged");
    }
    return values;
  }

  void checkCopies(const at::Tensor& shared) const {
    for (const char* name : kCopies) {
      if (!source_.find(name) || name == nameInFile(kShared)) continue;
      checkTensor({name, specs_[0].shape});
      if (!at::equal(source_.read(name).to(at::kFloat), shared)) {
        throw Error("MODEL_UNSUPPORTED", source_.path() + ": " + name + " differs from " + nameInFile(kShared) +
                                             "; T5 has one embedding for both stacks");
      }
    }
  }

  void keep(const std::string& name, const at::Tensor& values) {
    fingerprint_.add(name, values);
    tensors_.emplace_back(name, values.to(options_.device, options_.dtype));
    ++done_;
    if (options_.onProgress) options_.onProgress(std::min(1.0, static_cast<double>(done_) / (specs_.size() + 1)));
  }

  const TensorSource& source_;
  const T5Config& config_;
  const WeightOptions& options_;
  YieldPoint& yieldPoint_;
  std::vector<ParameterSpec> specs_;
  NamedTensors tensors_;
  Fingerprint fingerprint_;
  size_t done_ = 0;
};

}  // namespace

void Fingerprint::add(const std::string& name, const at::Tensor& values) {
  const at::Tensor floats = values.detach().to(at::kCPU, at::kFloat).contiguous();
  Sha256 sha;
  sha.update(floats.const_data_ptr(), floats.nbytes());
  digests_[name] = shapeText(floats.sizes()) + " " + sha.hex();
}

std::string Fingerprint::hex(const T5Config& config) const {
  Sha256 sha;
  sha.update(mathsOf(config));
  for (const auto& [name, digest] : digests_) sha.update(name + " " + digest + "\n");
  return sha.hex();
}

Weights readWeights(const TensorSource& source, const T5Config& config, const WeightOptions& options,
                    YieldPoint& yieldPoint) {
  return Reader(source, config, options, yieldPoint).read();
}

}  // namespace softprompt
