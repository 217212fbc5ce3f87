#include "core/t5/weights.h"

#include <cstdio>
#include <set>

#include "core/runtime/error.h"
#include "core/runtime/sha256.h"
#include "core/t5/parameters.h"
#include "core/t5/read_tensors.h"
#include "core/t5/value_digest.h"

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
    makePlaces();
    for (const ParameterSpec& spec : specs_) request(spec, true);
    const TensorInfo& shared = *source_.find(nameInFile(kShared));
    const size_t copiesAt = requests_.size();
    for (const char* name : kCopies) {
      if (nameInFile(kShared) != name && source_.find(name)) request({name, specs_[0].shape}, false);
    }
    const TensorInfo* head = source_.find(kHead);
    const bool headIsShared = head && head->place == shared.place;  // as the tied head of a state dict is
    const size_t headAt = requests_.size();
    if (head) request({kHead, specs_[0].shape}, !headIsShared);

    std::vector<ReadTensor> values =
        readTensors(requests_, {options_.dtype, options_.device, options_.onProgress}, yieldPoint_);
    for (size_t i = copiesAt; i < headAt; ++i) checkCopy(*requests_[i].tensor, values[i], shared, values[0]);
    for (size_t i = 0; i < copiesAt; ++i) keep(specs_[i].name, values[i]);
    if (head && !headIsShared && values[headAt].digest != values[0].digest) keep(kHead, values[headAt]);
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
        throw Error("MODEL_TENSOR_UNKNOWN", info.place.file->path() + ": the tensor " + info.name +
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
      throw Error("MODEL_TENSOR_SHAPE", info->place.file->path() + ": the tensor " + name + " is " +
                                            shapeText(info->shape) + ", but config.json demands " +
                                            shapeText(spec.shape));
    }
    if (info->dtype != "F32" && info->dtype != "BF16" && info->dtype != "F16") {
      throw Error("MODEL_TENSOR_DTYPE", info->place.file->path() + ": the tensor " + name + " has dtype " +
                                            info->dtype + "; F32, BF16 and F16 are read");
    }
  }

  // Only after every shape was found to be what config.json says, and every number to lie inside the file.
  void makePlaces() {
    std::map<std::string, std::vector<int64_t>> shapes;
    for (const ParameterSpec& spec : specs_) shapes[spec.name] = spec.shape;
    for (const std::vector<std::string>& names : options_.sideBySide) {
      int64_t rows = 0;
      for (const std::string& name : names) rows += shapes.at(name)[0];
      const at::Tensor all = emptyForReading({rows, shapes.at(names[0])[1]}, options_.dtype);
      int64_t row = 0;
      for (const std::string& name : names) {
        places_[name] = all.narrow(0, row, shapes.at(name)[0]);
        row += shapes.at(name)[0];
      }
    }
  }

  void request(const ParameterSpec& spec, bool isKept) {
    checkTensor(spec);
    const auto place = places_.find(spec.name);
    requests_.push_back(
        {source_.find(nameInFile(spec.name)), isKept, place == places_.end() ? at::Tensor() : place->second});
  }

  static void checkCopy(const TensorInfo& copy, const ReadTensor& values, const TensorInfo& shared,
                        const ReadTensor& sharedValues) {
    if (values.digest == sharedValues.digest) return;
    throw Error("MODEL_UNSUPPORTED", copy.place.file->path() + ": " + copy.name + " differs from " + shared.name +
                                         "; T5 has one embedding for both stacks");
  }

  void keep(const std::string& name, const ReadTensor& values) {
    fingerprint_.addDigest(name, values.values.sizes(), values.digest);
    tensors_.emplace_back(name, values.values);
  }

  const TensorSource& source_;
  const T5Config& config_;
  const WeightOptions& options_;
  YieldPoint& yieldPoint_;
  std::vector<ParameterSpec> specs_;
  std::map<std::string, at::Tensor> places_;
  std::vector<TensorRequest> requests_;
  NamedTensors tensors_;
  Fingerprint fingerprint_;
};

}  // namespace

void Fingerprint::add(const std::string& name, const at::Tensor& values) {
  const at::Tensor floats = values.detach().to(at::kCPU, at::kFloat).contiguous();
  ValueDigest digest;
  digest.update(floats.const_data_ptr<float>(), static_cast<size_t>(floats.numel()));
  addDigest(name, floats.sizes(), digest.hex());
}

void Fingerprint::addDigest(const std::string& name, at::IntArrayRef shape, const std::string& digest) {
  digests_[name] = shapeText(shape) + " " + digest;
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
