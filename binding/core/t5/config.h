// The fields of a Hugging Face T5 config.json that the maths needs, read and checked (reference: transformers'
// T5Config).
#pragma once

#include <cstdint>
#include <string>

namespace softprompt {

enum class FeedForward { kRelu, kGatedGelu, kGatedSilu };

struct T5Config {
  std::string modelType = "t5";
  int64_t dModel = 0;
  int64_t dKv = 0;
  int64_t dFf = 0;
  int64_t numLayers = 0;
  int64_t numDecoderLayers = 0;  // default: numLayers
  int64_t numHeads = 0;
  int64_t vocabSize = 0;
  int64_t relativeAttentionNumBuckets = 32;
  int64_t relativeAttentionMaxDistance = 128;
  double layerNormEpsilon = 1e-6;
  double dropoutRate = 0.1;
  FeedForward feedForward = FeedForward::kRelu;
  bool scaleDecoderOutputs = true;  // logits from decoder hidden * dModel^-0.5; never for mT5; see parseConfig
  bool tiedHead = true;             // of a model that is made anew; a loaded one's files say it
  bool biasInEveryBlock = false;    // umT5
  int64_t decoderStartTokenId = 0;
  int64_t padTokenId = 0;
  int64_t eosTokenId = 1;

  int64_t innerDim() const { return numHeads * dKv; }
};

// `json` is the text of a config.json, `source` its path for messages. Throws Error CONFIG_INVALID or
// CONFIG_UNSUPPORTED.
T5Config parseConfig(const std::string& json, const std::string& source);

}  // namespace softprompt
