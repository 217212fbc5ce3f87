// What the weights get of a backward pass, added to float32 sums: of products, norms and embeddings.
#pragma once

#include <ATen/core/Tensor.h>

namespace softprompt {

// Of y = x weight^T: sum [out, in] += gradient^T x, with gradient [N, out] at y, x [N, in] of one dtype.
void addProductGradient(const at::Tensor& sum, const at::Tensor& gradient, const at::Tensor& x);

// Of rmsNorm's weight: sum [d] += sum over tokens of gradient x r. gradient [N, d] float32 or bfloat16, contiguous;
// hidden float32 [N, d], inverse float32 [N]: what was normed, and rmsNorm's.
void addNormGradient(const at::Tensor& sum, const at::Tensor& gradient, const at::Tensor& hidden,
                     const at::Tensor& inverse);

// Of an embedding: sum [V, d], row ids[n] += gradient[n]. ids int64 [N], gradient float32 [N, d], contiguous. Rows are
// added in their order, whatever the threads.
void addEmbeddingGradient(const at::Tensor& sum, const at::Tensor& gradient, const at::Tensor& ids);

}  // namespace softprompt
