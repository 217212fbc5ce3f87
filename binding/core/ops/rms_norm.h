// Root mean square norm over the last dimension: y = x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich 2019), and
// its gradient in x. LibTorch has none for the CPU that is fused.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace softprompt {

struct Normed {
  at::Tensor value;    // [N, d], of the weight's dtype: what the next product reads
  at::Tensor inverse;  // float32 [N]: 1 / sqrt(mean(x^2) + eps)
};

// hidden float32 [N, d], weight [d], both contiguous. No autograd.
Normed rmsNorm(const at::Tensor& hidden, const at::Tensor& weight, double epsilon);

// The same of rows in memory, on this thread. bfloat16 is given by its bits.
struct NormRows {
  const float* hidden;  // [rows, width]
  int64_t rows, width;
  float epsilon;
};
void rmsNorm(const NormRows& rows, const float* weight, float* value);
void rmsNorm(const NormRows& rows, const uint16_t* weight, uint16_t* value);

// Adds the gradient to hiddenGradient (float32 [N, d], in place):
// r (g - x r^2 mean(g x)) with g = gradient * weight, r = inverse. gradient [N, d] is of the weight's dtype.
void rmsNormBackward(const at::Tensor& gradient, const at::Tensor& hidden, const at::Tensor& weight,
                     const at::Tensor& inverse, at::Tensor& hiddenGradient);

}  // namespace softprompt
