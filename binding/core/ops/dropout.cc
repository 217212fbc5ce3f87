#include "core/ops/dropout.h"

#include "core/ops/simd.h"

namespace softprompt {
namespace {

template <class T>
SOFTPROMPT_INLINE void multiplyBody(T* x, const float* factors, int64_t n) {
  for (int64_t i = 0; i < n; ++i) simd::store(x + i, simd::toFloat(x[i]) * factors[i]);
}
SOFTPROMPT_CLONES void multiply(float* x, const float* factors, int64_t n) {
  multiplyBody(x, factors, n);
}
SOFTPROMPT_CLONES void multiply(uint16_t* x, const float* factors, int64_t n) {
  multiplyBody(x, factors, n);
}

template <class T>
SOFTPROMPT_INLINE void scaleBody(T* x, float factor, int64_t n) {
  for (int64_t i = 0; i < n; ++i) simd::store(x + i, simd::toFloat(x[i]) * factor);
}
SOFTPROMPT_CLONES void scale(float* x, float factor, int64_t n) {
  scaleBody(x, factor, n);
}
SOFTPROMPT_CLONES void scale(uint16_t* x, float factor, int64_t n) {
  scaleBody(x, factor, n);
}

// Calls work(numbers of the first token) with their type.
template <class Work>
void withNumbers(const at::Tensor& tokens, const Work& work) {
  if (tokens.scalar_type() == at::kFloat) {
    work(tokens.mutable_data_ptr<float>());
  } else {
    work(reinterpret_cast<uint16_t*>(tokens.mutable_data_ptr<at::BFloat16>()));
  }
}

}  // namespace

void maskRows(const at::Tensor& tokens, const at::Tensor& masks, const std::vector<RowGroup>& groups) {
  const int64_t width = tokens.size(1);
  const float* factors = masks.const_data_ptr<float>();
  withNumbers(tokens, [&](auto* numbers) {
    for (const RowGroup& g : groups) {
      for (int64_t token = 0; token < g.tokens(); ++token)
        multiply(numbers + (g.offset + token) * width, factors + (g.row + token / g.length) * width, width);
    }
  });
}

void maskHeads(const at::Tensor& tokens, const at::Tensor& masks, HeadShape shape) {
  const float* factors = masks.const_data_ptr<float>();
  withNumbers(tokens, [&](auto* numbers) {
    for (int64_t token = 0; token < tokens.size(0); ++token) {
      for (int64_t head = 0; head < shape.heads; ++head)
        scale(numbers + token * tokens.stride(0) + head * shape.size, *factors++, shape.size);
    }
  });
}

}  // namespace softprompt
