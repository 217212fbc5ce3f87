#include "core/t5/source.h"

#include <c10/core/ScalarType.h>

#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

namespace softprompt {
namespace {

using Words = std::vector<std::pair<std::string, std::string>>;

// Words of every source. TorchScript compiled from C++ knows a dtype by its number.
const Words kConstants{
    {"int64", std::to_string(static_cast<int>(c10::ScalarType::Long))},
    {"float32", std::to_string(static_cast<int>(c10::ScalarType::Float))},
    {"bool", std::to_string(static_cast<int>(c10::ScalarType::Bool))},
    // A masked score: far below any real one, and finite, so that a row without any position gives no NaN.
    {"masked", "-1.0e9"}};

// `text` with every {word} replaced. TorchScript source here has no other braces.
std::string filled(std::string text, const Words& words) {
  for (const auto& [word, value] : words) {
    const std::string slot = "{" + word + "}";
    for (size_t at = text.find(slot); at != std::string::npos; at = text.find(slot, at + value.size())) {
      text.replace(at, slot.size(), value);
    }
  }
  return text;
}

std::string literal(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return std::string(text).find_first_of(".e") == std::string::npos ? std::string(text) + ".0" : text;
}

// Letters: B rows, S keys, T queries, H heads, K d_kv, d d_model. No 1/sqrt(K): T5's initialisation absorbs it.
constexpr const char* kBlockHelpers = R"(
def norm(self, hidden: Tensor, weight: Tensor) -> Tensor:
    return torch.rms_norm(hidden, [{d}], weight, {eps})

def heads(self, x: Tensor, weight: Tensor) -> Tensor:
    return torch.linear(x, weight).view(x.size(0), x.size(1), {H}, {K}).transpose(1, 2)

def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, output: Tensor) -> Tensor:
    context = torch.scaled_dot_product_attention(q, k, v, bias, 0.0, False, scale=1.0)
    return torch.linear(context.transpose(1, 2).reshape(q.size(0), q.size(2), {inner}), output)

def feed_forward(self, hidden: Tensor, dropout: List[Tensor], site: int) -> Tensor:
    x = self.norm(hidden, getattr(self.layer, "{ff}").layer_norm.weight)
    inner = {activation}
    if len(dropout) > 0:
        inner = inner * dropout[site]
    out = torch.linear(inner, getattr(self.layer, "{ff}").DenseReluDense.wo.weight)
    if len(dropout) > 0:
        out = out * dropout[site + 1]
    return hidden + out
)";

constexpr const char* kReluActivation =
    R"(torch.relu(torch.linear(x, getattr(self.layer, "{ff}").DenseReluDense.wi.weight)))";
constexpr const char* kGatedActivation =
    R"({gate} * torch.linear(x, getattr(self.layer, "{ff}").DenseReluDense.wi_1.weight))";
constexpr const char* kGeluGate =
    R"(torch.gelu(torch.linear(x, getattr(self.layer, "{ff}").DenseReluDense.wi_0.weight), approximate="tanh"))";
constexpr const char* kSiluGate =
    R"(torch.silu(torch.linear(x, getattr(self.layer, "{ff}").DenseReluDense.wi_0.weight)))";

// [1, H, T, S] for queries at offset .. offset + T - 1 and keys at 0 .. S - 1. A bucket depends on key - query alone:
// one row of T + S - 1 distances is looked up, and its windows are the rows of the matrix.
constexpr const char* kRelativePositionBias = R"(
def relative_position_bias(self, queries: int, keys: int, offset: int) -> Tensor:
    table = getattr(self.layer, "0").SelfAttention.relative_attention_bias.weight
    distance = torch.arange(1 - offset - queries, keys - offset, dtype={int64}, device=table.device)
{direction}
    far = torch.log(torch.clamp(distance, min=1).to({float32}) / {exact}) / {logRange} * {logBuckets}
    far = torch.clamp({exact} + far.to({int64}), max={last})
    bucket = bucket + torch.where(distance < {exact}, distance, far)
    row = torch.embedding(table, bucket).t().contiguous()
    return row.unfold(1, keys, 1).flip([1]).unsqueeze(0)
)";
constexpr const char* kBothDirections = R"(    bucket = (distance > 0).to({int64}) * {half}
    distance = torch.abs(distance))";
constexpr const char* kPastOnly = R"(    distance = torch.clamp(torch.neg(distance), min=0)
    bucket = torch.zeros_like(distance))";

constexpr const char* kEncoderBias = R"(
def bias(self, mask: Tensor) -> Tensor:
    bias = self.relative_position_bias(mask.size(1), mask.size(1), 0)
    if bool(torch.all(mask)):
        return bias
    return torch.masked_fill(bias, torch.logical_not(mask).unsqueeze(1).unsqueeze(1), {masked})
)";

constexpr const char* kDecoderBias = R"(
def bias(self, queries: int, offset: int) -> Tensor:
    bias = self.relative_position_bias(queries, offset + queries, offset)
    if queries == 1:
        return bias
    every = torch.ones([queries, offset + queries], dtype={bool}, device=bias.device)
    return torch.masked_fill(bias, torch.triu(every, offset + 1), {masked})
)";

constexpr const char* kSelfAttention = R"(
def self_attention(self, hidden: Tensor, bias: Tensor, dropout: List[Tensor]) -> Tensor:
    x = self.norm(hidden, getattr(self.layer, "0").layer_norm.weight)
    q = self.heads(x, getattr(self.layer, "0").SelfAttention.q.weight)
    k = self.heads(x, getattr(self.layer, "0").SelfAttention.k.weight)
    v = self.heads(x, getattr(self.layer, "0").SelfAttention.v.weight)
    if len(dropout) > 0:
        v = v * dropout[0]
    out = self.attend(q, k, v, bias, getattr(self.layer, "0").SelfAttention.o.weight)
    if len(dropout) > 0:
        out = out * dropout[1]
    return hidden + out
)";

constexpr const char* kEncoderForward = R"(
def forward(self, hidden: Tensor, bias: Tensor, dropout: List[Tensor]) -> Tensor:
    return self.feed_forward(self.self_attention(hidden, bias, dropout), dropout, 2)
)";

constexpr const char* kDecoderForward = R"(
def cross(self, encoder_hidden: Tensor) -> Tuple[Tensor, Tensor]:
    k = self.heads(encoder_hidden, getattr(self.layer, "1").EncDecAttention.k.weight)
    v = self.heads(encoder_hidden, getattr(self.layer, "1").EncDecAttention.v.weight)
    return (k, v)

def cross_attention(self, hidden: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    x = self.norm(hidden, getattr(self.layer, "1").layer_norm.weight)
    q = self.heads(x, getattr(self.layer, "1").EncDecAttention.q.weight)
    return self.attend(q, k, v, bias, getattr(self.layer, "1").EncDecAttention.o.weight)

def forward(self, hidden: Tensor, bias: Tensor, encoder_hidden: Tensor, cross_bias: Tensor, dropout: List[Tensor]) -> Tensor:
    hidden = self.self_attention(hidden, bias, dropout)
    k, v = self.cross(encoder_hidden)
    if len(dropout) > 0:
        v = v * dropout[2]
    out = self.cross_attention(hidden, k, v, cross_bias)
    if len(dropout) > 0:
        out = out * dropout[3]
    return self.feed_forward(hidden + out, dropout, 4)

def step(self, hidden: Tensor, bias: Tensor, keys: Tensor, values: Tensor, cross_keys: Tensor, cross_values: Tensor, cross_bias: Tensor) -> Tensor:
    x = self.norm(hidden, getattr(self.layer, "0").layer_norm.weight)
    q = self.heads(x, getattr(self.layer, "0").SelfAttention.q.weight)
    keys[:, :, -1:] = self.heads(x, getattr(self.layer, "0").SelfAttention.k.weight)
    values[:, :, -1:] = self.heads(x, getattr(self.layer, "0").SelfAttention.v.weight)
    hidden = hidden + self.attend(q, keys, values, bias, getattr(self.layer, "0").SelfAttention.o.weight)
    hidden = hidden + self.cross_attention(hidden, cross_keys, cross_values, cross_bias)
    none: List[Tensor] = []
    return self.feed_forward(hidden, none, 0)
)";

constexpr const char* kRoot = R"(
def embed(self, ids: Tensor) -> Tensor:
    return torch.embedding(self.shared.weight, ids)

def logits(self, decoder_hidden: Tensor) -> Tensor:
    return torch.linear(decoder_hidden{scale}, self.{head}.weight)

def cross_bias(self, mask: Tensor) -> Tensor:
    zeros = torch.zeros([mask.size(0), 1, 1, mask.size(1)], dtype=self.shared.weight.dtype, device=mask.device)
    return torch.masked_fill(zeros, torch.logical_not(mask).unsqueeze(1).unsqueeze(1), {masked})

def encode(self, embeds: Tensor, mask: Tensor) -> Tensor:
    hidden = embeds.to(self.shared.weight.dtype)
    none: List[Tensor] = []
{encoderBlocks}
    return self.encoder.finish(hidden)

def decode(self, ids: Tensor, encoder_hidden: Tensor, mask: Tensor) -> Tensor:
    hidden = self.embed(ids)
    cross_bias = self.cross_bias(mask)
    none: List[Tensor] = []
{decoderBlocks}
    return self.decoder.finish(hidden)

def start_cache(self, encoder_hidden: Tensor, capacity: int) -> List[Tensor]:
    cache: List[Tensor] = []
    shape = [encoder_hidden.size(0), {H}, capacity, {K}]
{cacheBlocks}
    return cache

def step(self, ids: Tensor, position: int, cache: List[Tensor], mask: Tensor) -> Tensor:
    hidden = self.embed(ids.unsqueeze(1))
    cross_bias = self.cross_bias(mask)
{stepBlocks}
    return self.decoder.finish(hidden).squeeze(1)

def forward(self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor) -> Tensor:
    mask = attention_mask.to({bool})
    encoder_hidden = self.encode(self.embed(input_ids), mask)
    return self.logits(self.decode(decoder_input_ids, encoder_hidden, mask))
)";

constexpr const char* kCacheBlock = R"(    k{i}, v{i} = getattr(self.decoder.block, "{i}").cross(encoder_hidden)
    cache.append(torch.zeros(shape, dtype=encoder_hidden.dtype, device=encoder_hidden.device))
    cache.append(torch.zeros(shape, dtype=encoder_hidden.dtype, device=encoder_hidden.device))
    cache.append(k{i}.contiguous())
    cache.append(v{i}.contiguous())
)";

constexpr const char* kStepBlock =
    R"(    hidden = getattr(self.decoder.block, "{i}").step(hidden, bias, cache[4 * {i}][:, :, :position + 1], cache[4 * {i} + 1][:, :, :position + 1], cache[4 * {i} + 2], cache[4 * {i} + 3], cross_bias)
)";

std::string activationOf(FeedForward kind) {
  if (kind == FeedForward::kRelu) return kReluActivation;
  return filled(kGatedActivation, {{"gate", kind == FeedForward::kGatedGelu ? kGeluGate : kSiluGate}});
}

// `ff`: which of the block's layers is the feed-forward.
std::string blockHelpers(const T5Config& config, const char* ff) {
  return filled(kBlockHelpers, {{"activation", activationOf(config.feedForward)},
                                {"ff", ff},
                                {"d", std::to_string(config.dModel)},
                                {"eps", literal(config.layerNormEpsilon)},
                                {"H", std::to_string(config.numHeads)},
                                {"K", std::to_string(config.dKv)},
                                {"inner", std::to_string(config.innerDim())}});
}

// Buckets: half of a direction's are exact, the rest logarithmic up to the largest distance (T5, appendix of the code:
// mesh_tensorflow's _relative_position_bucket).
std::string relativePositionBias(const T5Config& config, bool bothDirections) {
  const int64_t buckets = config.relativeAttentionNumBuckets / (bothDirections ? 2 : 1);
  const int64_t exact = buckets / 2;
  const double logRange =
      std::log(static_cast<double>(config.relativeAttentionMaxDistance) / static_cast<double>(exact));
  return filled(kRelativePositionBias, {{"direction", bothDirections ? kBothDirections : kPastOnly},
                                        {"half", std::to_string(buckets)},
                                        {"exact", std::to_string(exact)},
                                        {"logRange", literal(logRange)},
                                        {"logBuckets", std::to_string(buckets - exact)},
                                        {"last", std::to_string(buckets - 1)}});
}

// The lines of every block, one after the other; `biasLine` stands before the blocks that have a table of their own.
std::string unrolled(int64_t blocks, bool biasInEveryBlock, const char* biasLine, const char* line) {
  std::string out;
  for (int64_t i = 0; i < blocks; ++i) {
    const bool hasBias = i == 0 || biasInEveryBlock;
    out += filled((hasBias ? biasLine : std::string()) + line, {{"i", std::to_string(i)}});
  }
  out.pop_back();
  return out;
}

}  // namespace

std::string encoderBlockSource(const T5Config& config, BlockShape shape) {
  const std::string bias = shape.hasBias ? relativePositionBias(config, true) + kEncoderBias : "";
  return filled(blockHelpers(config, "1") + bias + kSelfAttention + kEncoderForward, kConstants);
}

std::string decoderBlockSource(const T5Config& config, BlockShape shape) {
  const std::string bias = shape.hasBias ? relativePositionBias(config, false) + kDecoderBias : "";
  return filled(blockHelpers(config, "2") + bias + kSelfAttention + kDecoderForward, kConstants);
}

std::string stackSource(const T5Config& config) {
  return filled(R"(
def finish(self, hidden: Tensor) -> Tensor:
    return torch.rms_norm(hidden, [{d}], self.final_layer_norm.weight, {eps})
)",
                {{"d", std::to_string(config.dModel)}, {"eps", literal(config.layerNormEpsilon)}});
}

std::string rootSource(const T5Config& config, bool hasLmHead) {
  const auto blocks = [&](int64_t count, const char* biasLine, const char* line) {
    return unrolled(count, config.biasInEveryBlock, biasLine, line);
  };
  const double scale = std::pow(static_cast<double>(config.dModel), -0.5);
  const std::string text = filled(
      kRoot,
      {{"encoderBlocks", blocks(config.numLayers, "    bias = getattr(self.encoder.block, \"{i}\").bias(mask)\n",
                                "    hidden = getattr(self.encoder.block, \"{i}\").forward(hidden, bias, none)\n")},
       {"decoderBlocks",
        blocks(config.numDecoderLayers, "    bias = getattr(self.decoder.block, \"{i}\").bias(ids.size(1), 0)\n",
               "    hidden = getattr(self.decoder.block, \"{i}\").forward(hidden, bias, encoder_hidden, cross_bias, "
               "none)\n")},
       {"cacheBlocks", blocks(config.numDecoderLayers, "", kCacheBlock)},
       {"stepBlocks", blocks(config.numDecoderLayers,
                             "    bias = getattr(self.decoder.block, \"{i}\").bias(1, position)\n", kStepBlock)},
       {"scale", config.scaleDecoderOutputs ? " * " + literal(scale) : ""},
       {"head", hasLmHead ? "lm_head" : "shared"},
       {"H", std::to_string(config.numHeads)},
       {"K", std::to_string(config.dKv)}});
  return filled(text, kConstants);
}

}  // namespace softprompt
