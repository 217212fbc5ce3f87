// What decoding asks of rows of scores over the vocabulary: LibTorch's log-softmax writes them all again, and its topk
// sorts them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace softprompt {

// log(sum(exp(logits))) of each row: float32 [rows, V] -> [rows]. A row with a number that is not finite gives NaN.
at::Tensor logSumExp(const at::Tensor& logits);

// The same of a row that comes in parts: what one of them gives, and all together.
struct LogSum {
  float highest, sum;  // sum of exp(logit - highest)
};
LogSum logSumOf(const float* part, int64_t size);
float logOf(std::span<const LogSum> parts);

// The ids of the `count` best of each row (all where there are fewer), the best first; of equal ones, the lowest id
// first. scores: float32 [rows, V], contiguous.
std::vector<std::vector<int32_t>> bestIds(const at::Tensor& scores, int64_t count);

}  // namespace softprompt
