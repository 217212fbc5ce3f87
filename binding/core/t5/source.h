// The network as TorchScript source text, made for one config. Methods are split at the blocks, so that a caller can
// pause between layers; docs/torchscript.md is their contract.
#pragma once

#include <string>

#include "core/t5/config.h"

namespace softprompt {

struct BlockShape {
  bool hasBias = false;  // holds a relative_attention_bias table
};

// Methods of one encoder block: bias (where there is a table) and forward.
std::string encoderBlockSource(const T5Config& config, BlockShape shape);
// Methods of one decoder block: bias, forward, cross and step.
std::string decoderBlockSource(const T5Config& config, BlockShape shape);
// The final norm of a stack.
std::string stackSource(const T5Config& config);
// Methods of the whole: embed, encode, decode, logits, start_cache, step, forward.
std::string rootSource(const T5Config& config, bool hasLmHead);

}  // namespace softprompt
