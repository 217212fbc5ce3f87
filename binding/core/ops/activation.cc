#include "core/ops/activation.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/threshold_backward.h>

#include "core/ops/simd.h"

namespace softprompt {
namespace {

constexpr int64_t kGrain = 1 << 13;  // elements that are worth a thread

struct Rows {
  int64_t from, to, width;  // width: ff
};

// Both gates are x * sigmoid(z): z = x for silu, and for gelu z = 2 sqrt(2 / pi) (x + 0.044715 x^3), since
// (1 + tanh(u)) / 2 = sigmoid(2 u).
template <bool kGelu>
SOFTPROMPT_INLINE float inside(float x) {
  return kGelu ? 1.5957691216f * (x + 0.044715f * x * x * x) : x;
}
template <bool kGelu>
SOFTPROMPT_INLINE float insideSlope(float x) {
  return kGelu ? 1.5957691216f * (1.0f + 0.134145f * x * x) : 1.0f;
}

template <bool kGelu, class T>
SOFTPROMPT_INLINE void forwardBody(Rows rows, const T* wide, T* out) {
  for (int64_t row = rows.from; row < rows.to; ++row) {
    const T* gate = wide + 2 * row * rows.width;
    const T* value = gate + rows.width;
    T* to = out + row * rows.width;
#pragma omp simd
    for (int64_t i = 0; i < rows.width; ++i) {
      const float x = simd::toFloat(gate[i]);
      simd::store(to + i, x * simd::sigmoid(inside<kGelu>(x)) * simd::toFloat(value[i]));
    }
  }
}

template <bool kGelu, class T>
SOFTPROMPT_INLINE void backwardBody(Rows rows, const T* gradient, const T* wide, T* out) {
  for (int64_t row = rows.from; row < rows.to; ++row) {
    const T* g = gradient + row * rows.width;
    const T* gate = wide + 2 * row * rows.width;
    const T* value = gate + rows.width;
    T* toGate = out + 2 * row * rows.width;
    T* toValue = toGate + rows.width;
#pragma omp simd
    for (int64_t i = 0; i < rows.width; ++i) {
      const float x = simd::toFloat(gate[i]), up = simd::toFloat(g[i]);
      const float s = simd::sigmoid(inside<kGelu>(x));
      simd::store(toGate + i, up * simd::toFloat(value[i]) * (s + x * s * (1.0f - s) * insideSlope<kGelu>(x)));
      simd::store(toValue + i, up * x * s);
    }
  }
}

SOFTPROMPT_CLONES void forward(bool gelu, Rows rows, const float* wide, float* out) {
  if (gelu) return forwardBody<true>(rows, wide, out);
  forwardBody<false>(rows, wide, out);
}
SOFTPROMPT_CLONES void forward(bool gelu, Rows rows, const uint16_t* wide, uint16_t* out) {
  if (gelu) return forwardBody<true>(rows, wide, out);
  forwardBody<false>(rows, wide, out);
}
SOFTPROMPT_CLONES void backward(bool gelu, Rows rows, const float* gradient, const float* wide, float* out) {
  if (gelu) return backwardBody<true>(rows, gradient, wide, out);
  backwardBody<false>(rows, gradient, wide, out);
}
SOFTPROMPT_CLONES void backward(bool gelu, Rows rows, const uint16_t* gradient, const uint16_t* wide, uint16_t* out) {
  if (gelu) return backwardBody<true>(rows, gradient, wide, out);
  backwardBody<false>(rows, gradient, wide, out);
}

template <class T>
SOFTPROMPT_INLINE void rowBody(FeedForward kind, const float* first, const float* second, int64_t width, T* out) {
  if (kind == FeedForward::kRelu) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) simd::store(out + i, first[i] > 0 ? first[i] : 0.0f);
  } else if (kind == FeedForward::kGatedGelu) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i)
      simd::store(out + i, first[i] * simd::sigmoid(inside<true>(first[i])) * second[i]);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) simd::store(out + i, first[i] * simd::sigmoid(first[i]) * second[i]);
  }
}

SOFTPROMPT_CLONES void rowOf(FeedForward kind, const float* first, const float* second, int64_t width, float* out) {
  rowBody(kind, first, second, width, out);
}
SOFTPROMPT_CLONES void rowOf(FeedForward kind, const float* first, const float* second, int64_t width, uint16_t* out) {
  rowBody(kind, first, second, width, out);
}

template <class T>
auto* bitsOf(const at::Tensor& tensor) {
  return reinterpret_cast<const typename simd::Bits<T>::type*>(tensor.const_data_ptr<T>());
}
template <class T>
auto* mutableBitsOf(at::Tensor& tensor) {
  return reinterpret_cast<typename simd::Bits<T>::type*>(tensor.mutable_data_ptr<T>());
}

template <class T>
at::Tensor gated(bool gelu, const at::Tensor& wide) {
  const int64_t rows = wide.size(0), width = wide.size(1) / 2;
  at::Tensor out = at::empty({rows, width}, wide.options());
  const auto* from = bitsOf<T>(wide);
  auto* to = mutableBitsOf<T>(out);
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrain / width), [&](int64_t begin, int64_t end) {
    forward(gelu, {begin, end, width}, from, to);
  });
  return out;
}

template <class T>
at::Tensor gatedBackward(bool gelu, const at::Tensor& gradient, const at::Tensor& wide) {
  const int64_t rows = wide.size(0), width = wide.size(1) / 2;
  at::Tensor out = at::empty_like(wide);
  const auto *g = bitsOf<T>(gradient), *from = bitsOf<T>(wide);
  auto* to = mutableBitsOf<T>(out);
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrain / width), [&](int64_t begin, int64_t end) {
    backward(gelu, {begin, end, width}, g, from, to);
  });
  return out;
}

}  // namespace

at::Tensor activate(FeedForward kind, const at::Tensor& wide) {
  if (kind == FeedForward::kRelu) return at::relu(wide);
  const bool gelu = kind == FeedForward::kGatedGelu;
  return wide.scalar_type() == at::kFloat ? gated<float>(gelu, wide) : gated<at::BFloat16>(gelu, wide);
}

void activate(FeedForward kind, const float* first, const float* second, int64_t width, float* out) {
  rowOf(kind, first, second, width, out);
}
void activate(FeedForward kind, const float* first, const float* second, int64_t width, uint16_t* out) {
  rowOf(kind, first, second, width, out);
}

at::Tensor activateBackward(FeedForward kind, const at::Tensor& gradient, const at::Tensor& wide) {
  if (kind == FeedForward::kRelu) return at::threshold_backward(gradient, wide, 0);
  const bool gelu = kind == FeedForward::kGatedGelu;
  return wide.scalar_type() == at::kFloat ? gatedBackward<float>(gelu, gradient, wide)
                                          : gatedBackward<at::BFloat16>(gelu, gradient, wide);
}

}  // namespace softprompt
