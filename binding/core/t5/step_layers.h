// The layers of a decoder block on one position of each lane; a team divides each product by columns, each attention by
// lanes and heads. Sums and the residual stream are float32; what a product
// reads is of the weights' dtype.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "core/ops/product.h"
#include "core/runtime/team.h"
#include "core/t5/fast_stacks.h"
#include "core/t5/step_cache.h"

namespace softprompt {

// A contiguous tensor's numbers: float, or bfloat16 by its bits.
template <class T>
const T* bitsOf(const at::Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}
template <class T>
T* mutableBitsOf(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.mutable_data_ptr());
}

// Scratch of this thread's own, of at least so many numbers; the next call ends it.
float* room(int64_t numbers);

// The members of `team` share the columns.
template <class T>
void multiplyBy(Team& team, const Product<T>& product);

// The bias of the newest position to all before, and itself: a head's row every `stride` numbers.
struct BiasRows {
  const float* rows;
  int64_t stride;
};

template <class T>
class StepLayers {
 public:
  // hidden float32 [B, d], contiguous, changed in place. All outlive it.
  StepLayers(const FastModel& model, Team& team, StepCache& cache, const at::Tensor& hidden);

  void run(int64_t layer, BiasRows bias);
  void finish(T* out);  // the final norm: [B, d]

 private:
  void norm(const at::Tensor& weight, T* out);
  void selfAttention(int64_t layer, BiasRows bias);
  void crossAttention(int64_t layer);
  void feedForward(const FeedForwardWeights& weights);
  void addProduct(const T* x, const at::Tensor& weight);
  template <class Attend>
  void eachHead(const Attend& attend);

  const FastModel& model_;
  Team& team_;
  StepCache& cache_;
  const HeadShape heads_;
  const int64_t lanes_;
  float* const hidden_;               // [B, d]
  std::unique_ptr<T[]> normed_;       // [B, d]
  std::unique_ptr<float[]> queries_;  // [B, 3 i]
  std::unique_ptr<T[]> inner_;        // [B, i or ff]
};

}  // namespace softprompt
