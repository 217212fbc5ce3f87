#include "core/t5/config.h"

#include "check.h"

using softprompt::FeedForward;
using softprompt::parseConfig;
using softprompt::T5Config;

namespace {

const std::string kSizes = R"("d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 3, "vocab_size": 50)";

T5Config parse(const std::string& more) {
  return parseConfig("{" + kSizes + more + "}", "config.json");
}

std::string messageOf(const std::string& more) {
  try {
    parse(more);
  } catch (const softprompt::Error& e) {
    return e.code() + " " + e.what();
  }
  return "";
}

}  // namespace

TEST(configDefaults) {
  const T5Config config = parse("");
  CHECK_EQ(config.numDecoderLayers, 2);
  CHECK_EQ(config.innerDim(), 12);
  CHECK_EQ(config.relativeAttentionNumBuckets, 32);
  CHECK_EQ(config.relativeAttentionMaxDistance, 128);
  CHECK_EQ(config.layerNormEpsilon, 1e-6);
  CHECK(config.feedForward == FeedForward::kRelu);
  CHECK(config.scaleDecoderOutputs);
  CHECK(!config.biasInEveryBlock);
  CHECK_EQ(config.eosTokenId, 1);
}

TEST(configScaleRule) {
  CHECK(!parse(R"(, "tie_word_embeddings": false)").scaleDecoderOutputs);
  CHECK(!parse(R"(, "tie_word_embeddings": true, "scale_decoder_outputs": false)").scaleDecoderOutputs);
  CHECK(parse(R"(, "tie_word_embeddings": false, "scale_decoder_outputs": true)").scaleDecoderOutputs);
  CHECK(parse(R"(, "tie_word_embeddings": true, "scale_decoder_outputs": null)").scaleDecoderOutputs);
  CHECK(!parse(R"(, "model_type": "mt5", "tie_word_embeddings": true)").scaleDecoderOutputs);
  CHECK(!parse(R"(, "model_type": "mt5", "scale_decoder_outputs": true)").scaleDecoderOutputs);
}

TEST(configFields) {
  const T5Config config = parse(
      R"(, "model_type": "umt5", "num_decoder_layers": 1, "feed_forward_proj": "gated-silu", "eos_token_id": 2,
         "relative_attention_max_distance": 256, "pad_token_id": null, "something_else": [1])");
  CHECK(config.biasInEveryBlock);
  CHECK(config.feedForward == FeedForward::kGatedSilu);
  CHECK_EQ(config.numDecoderLayers, 1);
  CHECK_EQ(config.eosTokenId, 2);
  CHECK_EQ(config.relativeAttentionMaxDistance, 256);
  CHECK(parse(R"(, "feed_forward_proj": "gated-gelu")").feedForward == FeedForward::kGatedGelu);
}

TEST(configRefusals) {
  const std::pair<const char*, const char*> cases[] = {
      {R"(, "num_decoder_layers": 0)", "CONFIG_INVALID config.json: num_decoder_layers"},
      {R"(, "num_decoder_layers": 1.5)", "CONFIG_INVALID config.json: num_decoder_layers"},
      {R"(, "layer_norm_epsilon": "small")", "CONFIG_INVALID config.json: layer_norm_epsilon"},
      {R"(, "layer_norm_epsilon": 0)", "CONFIG_INVALID config.json: layer_norm_epsilon"},
      {R"(, "dropout_rate": 1)", "CONFIG_INVALID config.json: dropout_rate"},
      {R"(, "eos_token_id": 50)", "CONFIG_INVALID config.json: eos_token_id"},
      {R"(, "tie_word_embeddings": "no")", "CONFIG_INVALID config.json: tie_word_embeddings"},
      {R"(, "relative_attention_num_buckets": 33)", "CONFIG_INVALID config.json: relative_attention_num_buckets"},
      {R"(, "relative_attention_max_distance": 16)", "CONFIG_INVALID config.json: relative_attention_max_distance"},
      {R"(, "model_type": "bart")", "CONFIG_UNSUPPORTED config.json: model_type"},
      {R"(, "feed_forward_proj": "gated-mish")", "CONFIG_UNSUPPORTED config.json: feed_forward_proj"},
      {R"(, "d_model": 9)", "CONFIG_INVALID config.json is no JSON: the key \"d_model\" stands twice"},
  };
  for (const auto& [more, start] : cases) {
    const std::string found = messageOf(more);
    if (!found.starts_with(start)) check::fail(__FILE__, __LINE__, std::string(more) + " gave " + found);
  }
  CHECK_THROWS(parseConfig("{}", "c"), "CONFIG_INVALID");
  CHECK_THROWS(parseConfig("[]", "c"), "CONFIG_INVALID");
  CHECK_THROWS(parseConfig("", "c"), "CONFIG_INVALID");
}
