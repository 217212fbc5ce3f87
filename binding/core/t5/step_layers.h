// The layers of a decoder block on one position of each lane; a team divides each product by columns, each attention by
// lanes and heads. Sums and the residual stream are float32; what a product
// reads is of the weights' dtype.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "core/runtime/team.h"
#include "core/t5/config.h"
#include "core/t5/step_cache.h"
#include "core/t5/step_product.h"

namespace softprompt {

// Scratch of this thread's own, of at least so many numbers; the next call ends it.
float* room(int64_t numbers);

// The bias of a newest position to all before, and itself, for any length: a head's row of `known` numbers ends with
// that of the position to itself.
struct BiasRows {
  const float* rows;
  int64_t known;

  const float* of(int64_t head, int64_t length) const { return rows + (head + 1) * known - length; }
};

template <class T>
class StepLayers {
 public:
  // hidden float32 [B, d], contiguous, changed in place. All outlive it.
  StepLayers(const T5Config& config, const StepWeights& weights, Team& team, StepCache& cache,
             const at::Tensor& hidden);

  void run(int64_t layer, BiasRows bias);
  void finish(T* out);  // the final norm: [B, d]

 private:
  void norm(const at::Tensor& weight, T* out);
  void selfAttention(int64_t layer, BiasRows bias);
  void crossAttention(int64_t layer);
  void feedForward(const StepBlockWeights& weights);
  void addProduct(const StepMatrix& matrix);
  template <class Attend>
  void eachHead(const Attend& attend);

  const T5Config& config_;
  const StepWeights& weights_;
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
