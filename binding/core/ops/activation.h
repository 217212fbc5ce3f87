// What stands between the two products of a feed-forward layer, and its gradient: relu (v1.0), or a gate,
// act(x wi_0) * (x wi_1) with act = gelu by tanh, or silu (v1.1 and later; Shazeer 2020).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/t5/config.h"

namespace softprompt {

// wide: [N, ff] for relu, [N, 2 ff] for a gate (wi_0's outputs, then wi_1's); contiguous, float32 or bfloat16.
// Gives [N, ff]. No autograd.
at::Tensor activate(FeedForward kind, const at::Tensor& wide);

// The same of one row in memory: first [width] (and second, of a gate) -> out [width], float32 or bfloat16's bits.
void activate(FeedForward kind, const float* first, const float* second, int64_t width, float* out);
void activate(FeedForward kind, const float* first, const float* second, int64_t width, uint16_t* out);

// gradient [N, ff] -> the gradient of `wide`, in its shape.
at::Tensor activateBackward(FeedForward kind, const at::Tensor& gradient, const at::Tensor& wide);

}  // namespace softprompt
