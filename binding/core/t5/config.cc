#include "core/t5/config.h"

#include <cmath>
#include <limits>

#include "core/checkpoint/json.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

// Reads typed fields of one config.json; every error names the file and the field.
class Fields {
 public:
  Fields(const Json& json, const std::string& source) : json_(json), source_(source) {}

  [[noreturn]] void unsupported(const std::string& field, const std::string& what) const {
    throw Error("CONFIG_UNSUPPORTED", source_ + ": " + field + " " + what);
  }

  [[noreturn]] void invalid(const std::string& field, const std::string& what) const {
    throw Error("CONFIG_INVALID", source_ + ": " + field + " " + what);
  }

  const Json* find(const char* name) const {
    const Json* value = json_.find(name);
    return value && !value->isNull() ? value : nullptr;
  }

  // An integer in [least, most]; `missing` < least means that the field must be there.
  int64_t integer(const char* name, int64_t least, int64_t most, int64_t missing) const {
    const Json* value = find(name);
    if (!value) {
      if (missing < least) invalid(name, "is missing");
      return missing;
    }
    if (!value->integer()) invalid(name, "must be an integer");
    const int64_t number = *value->integer();
    if (number < least || number > most) {
      invalid(name, "is " + std::to_string(number) + ", not in " + std::to_string(least) + ".." + std::to_string(most));
    }
    return number;
  }

  double real(const char* name, double missing) const {
    const Json* value = find(name);
    if (!value) return missing;
    if (value->integer()) return static_cast<double>(*value->integer());
    if (!value->real()) invalid(name, "must be a number");
    return *value->real();
  }

  bool boolean(const char* name, bool missing) const {
    const Json* value = find(name);
    if (!value) return missing;
    if (!value->boolean()) invalid(name, "must be true or false");
    return *value->boolean();
  }

  std::string string(const char* name, const std::string& missing) const {
    const Json* value = find(name);
    if (!value) return missing;
    if (!value->string()) invalid(name, "must be a string");
    return *value->string();
  }

 private:
  const Json& json_;
  const std::string& source_;
};

constexpr int64_t kRequired = std::numeric_limits<int64_t>::min();
constexpr int64_t kLargestSize = 1 << 24;  // of any dimension: products of two stay far inside int64

FeedForward feedForwardOf(const Fields& fields) {
  const std::string name = fields.string("feed_forward_proj", "relu");
  if (name == "relu") return FeedForward::kRelu;
  if (name == "gated-gelu") return FeedForward::kGatedGelu;
  if (name == "gated-silu") return FeedForward::kGatedSilu;
  fields.unsupported("feed_forward_proj", "is '" + name + "'; relu, gated-gelu and gated-silu are supported");
}

// mT5 never scales. Else scale_decoder_outputs where it is, else the tie flag as the file has it (missing: true), which
// new configs force to true, moving the meaning to scale_decoder_outputs.
bool scalesDecoderOutputs(const Fields& fields, const std::string& modelType) {
  const bool tied = fields.boolean("tie_word_embeddings", true);
  const bool scaled = fields.boolean("scale_decoder_outputs", tied);
  return modelType != "mt5" && scaled;
}

void readSizes(const Fields& fields, T5Config& config) {
  config.dModel = fields.integer("d_model", 1, kLargestSize, kRequired);
  config.dKv = fields.integer("d_kv", 1, kLargestSize, kRequired);
  config.dFf = fields.integer("d_ff", 1, kLargestSize, kRequired);
  config.numLayers = fields.integer("num_layers", 1, 1024, kRequired);
  config.numDecoderLayers = fields.integer("num_decoder_layers", 1, 1024, config.numLayers);
  config.numHeads = fields.integer("num_heads", 1, 65536, kRequired);
  config.vocabSize = fields.integer("vocab_size", 1, kLargestSize, kRequired);
}

void readPositions(const Fields& fields, T5Config& config) {
  config.relativeAttentionNumBuckets = fields.integer("relative_attention_num_buckets", 4, 65536, 32);
  config.relativeAttentionMaxDistance = fields.integer("relative_attention_max_distance", 2, kLargestSize, 128);
  if (config.relativeAttentionNumBuckets % 2 != 0) fields.invalid("relative_attention_num_buckets", "must be even");
  if (config.relativeAttentionMaxDistance <= config.relativeAttentionNumBuckets / 2) {
    fields.invalid("relative_attention_max_distance", "must be more than half of relative_attention_num_buckets");
  }
}

void readIds(const Fields& fields, T5Config& config) {
  const int64_t last = config.vocabSize - 1;
  config.padTokenId = fields.integer("pad_token_id", 0, last, 0);
  config.eosTokenId = fields.integer("eos_token_id", 0, last, 1);
  config.decoderStartTokenId = fields.integer("decoder_start_token_id", 0, last, config.padTokenId);
}

}  // namespace

T5Config parseConfig(const std::string& json, const std::string& source) {
  Json document;
  try {
    document = parseJson(json);
  } catch (const JsonSyntax& e) {
    throw Error("CONFIG_INVALID", source + " is no JSON: " + e.what());
  }
  if (!document.object()) throw Error("CONFIG_INVALID", source + " is not a JSON object");

  const Fields fields(document, source);
  T5Config config;
  config.modelType = fields.string("model_type", "t5");
  if (config.modelType != "t5" && config.modelType != "mt5" && config.modelType != "umt5") {
    fields.unsupported("model_type", "is '" + config.modelType + "'; t5, mt5 and umt5 are supported");
  }
  readSizes(fields, config);
  readPositions(fields, config);
  readIds(fields, config);
  config.layerNormEpsilon = fields.real("layer_norm_epsilon", 1e-6);
  if (!(config.layerNormEpsilon > 0) || config.layerNormEpsilon > 1) {
    fields.invalid("layer_norm_epsilon", "must be more than 0 and at most 1");
  }
  config.dropoutRate = fields.real("dropout_rate", 0.1);
  if (!(config.dropoutRate >= 0) || config.dropoutRate >= 1) fields.invalid("dropout_rate", "must be in [0, 1)");
  config.feedForward = feedForwardOf(fields);
  config.scaleDecoderOutputs = scalesDecoderOutputs(fields, config.modelType);
  config.tiedHead = fields.boolean("tie_word_embeddings", config.modelType != "mt5") &&
                    (config.modelType == "mt5" || config.scaleDecoderOutputs);
  config.biasInEveryBlock = config.modelType == "umt5";
  return config;
}

}  // namespace softprompt
