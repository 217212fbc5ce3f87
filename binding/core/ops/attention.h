// Attention over rows of unequal length without padding, and its gradient. Not scaled by 1 / sqrt(K): T5's
// initialisation absorbs it. Where the processor has AVX-512 our own kernel does it (attention_rows.h), elsewhere
// LibTorch's (attention_flash.h).
//
// Letters: N tokens of all rows, B rows, T queries a row, H heads, K d_kv, i = H K.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/ops/row_groups.h"

namespace softprompt {

struct HeadShape {
  int64_t heads = 0;
  int64_t size = 0;  // d_kv

  int64_t inner() const { return heads * size; }
};

struct Attended {
  at::Tensor out;  // [tokens of the queries, i], of the queries' dtype
  // For the gradient: of our own kernel float32 [H, tokens of the queries];
  at::Tensor logSumExp;
  // of LibTorch's, a group of rows each.
  struct Group {
    at::Tensor context;    // float32 [rows, H, T, K]
    at::Tensor logSumExp;  // float32
  };
  std::vector<Group> groups;
};

// Tokens behind the last row are nobody's: what is given of them is 0.
//
// qkv [N, 3 i]: queries, keys, values of each token side by side. bias float32 [1, H, S, S], S at least the
// longest row: each row takes the corner of its length; or undefined.
Attended selfAttention(const at::Tensor& qkv, const std::vector<RowGroup>& groups, const at::Tensor& bias,
                       HeadShape shape);
// gradient [N, i] -> [N, 3 i]. Where `distances` is defined, float32 [H, 2 S - 1], the bias's gradient is added to it:
// that of key s and query t, summed over the rows, at s - t + S - 1, as a relative bias depends on s - t alone.
at::Tensor selfAttentionBackward(const at::Tensor& gradient, const at::Tensor& qkv, const Attended& attended,
                                 const std::vector<RowGroup>& groups, const at::Tensor& bias, HeadShape shape,
                                 const at::Tensor& distances = {});

// q [B T, i], T queries a row; kv [N, 2 i] (its rows may be strided). No bias: T5's cross attention has none.
Attended crossAttention(const at::Tensor& q, const at::Tensor& kv, const std::vector<RowGroup>& groups, int64_t queries,
                        HeadShape shape);
// gradient [B T, i]; gives that of q, and writes that of kv to kvGradient [N, 2 i].
at::Tensor crossAttentionBackward(const at::Tensor& gradient, const at::Tensor& q, const at::Tensor& kv,
                                  const Attended& attended, const std::vector<RowGroup>& groups, int64_t queries,
                                  HeadShape shape, at::Tensor kvGradient);

}  // namespace softprompt
