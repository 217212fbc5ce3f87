// Attention of rows of any length in one pass over each row and head: scores, bias, softmax and the weighted sum for a
// block of queries at a time, so that a row's scores never lie in memory as a whole. For processors with AVX-512, in
// the inputs' dtype with float32 sums; attention_flash.h is the same elsewhere.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/ops/attention.h"

namespace softprompt {

// Can this processor do it for heads of `size` in this dtype?
bool hasRowAttention(at::ScalarType dtype, int64_t size);

// Rows of queries and of the keys that they see: the first token of each and their number.
struct AttentionRow {
  int64_t query = 0, queries = 0;
  int64_t key = 0, keys = 0;
};

// q [tokens of the queries, i], k and v [tokens of the keys, i]: rows may be strided. bias float32 [1, H, T, S] or
// undefined: each row takes the corner of its size.
struct AttentionInputs {
  at::Tensor q, k, v, bias;
  std::vector<AttentionRow> rows;
  HeadShape shape;
};

// Writes out [tokens of the queries, i]; gives the logarithm of each softmax's sum, float32 [H, tokens of the queries].
at::Tensor attendRows(const AttentionInputs& inputs, const at::Tensor& out);

// Writes the gradients of q, k and v, given that of `out` and what attendRows gave; adds that of the bias to
// `distances` (attention.h), where it is defined.
struct AttentionGradients {
  at::Tensor q, k, v, distances;
};
void attendRowsBackward(const AttentionInputs& inputs, const at::Tensor& gradient, const at::Tensor& logSumExp,
                        const AttentionGradients& to);

}  // namespace softprompt
