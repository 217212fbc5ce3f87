// T5's buckets of relative positions, as the TorchScript source has them (source.cc, kRelativePositionBias).
#pragma once

#include <ATen/core/Tensor.h>

#include "core/t5/config.h"

namespace softprompt {

// int64 [2 positions - 1]: the bucket of key - query = -(positions - 1) .. positions - 1. The encoder looks both ways.
at::Tensor relativeBuckets(const T5Config& config, int64_t positions, bool bothDirections);

}  // namespace softprompt
