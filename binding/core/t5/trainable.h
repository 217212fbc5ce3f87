// A network all of whose weights are trained: passes forward and backward whose gradients are those of the weights.
//
// Letters: B rows, S encoder positions, T decoder positions, N target tokens, n some of them, d d_model, V vocabulary.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "core/t5/executor.h"

namespace softprompt {

struct TrainingBatch {
  at::Tensor ids;         // int64 [B, S], padded behind the last real one
  at::Tensor mask;        // bool [B, S], true = a real position
  at::Tensor decoderIds;  // int64 [B, T], shifted right, padded
  at::Tensor places;      // int64 [N]: of the real targets in [B T]
};

struct TrainableWeight {
  std::string name;     // as in a checkpoint
  at::Tensor value;     // what the network computes with, in its dtype; changed in place
  at::Tensor gradient;  // float32, of the same shape: the sum of what passes have given
};

// Logits, and the way back from them, to be taken once.
struct LogitsPass {
  at::Tensor logits;  // [n, V], head and scale applied; the network's dtype or float32
  // The gradient at the logits -> that at the hidden [n, d]; the head's is added where it belongs.
  std::function<at::Tensor(const at::Tensor& gradient)> backward;
};

// One pass at a time: forward, logits of its result (in parts), backward. What a pass refers to lives until its end.
class Trainable {
 public:
  virtual ~Trainable() = default;
  // In the same order ever; the head last, where it is not the embedding.
  virtual const std::vector<TrainableWeight>& weights() const = 0;
  // Teacher-forced: the decoder's output at batch.places, [N, d].
  virtual at::Tensor forward(const TrainingBatch& batch, Pass& pass) = 0;
  virtual LogitsPass logits(const at::Tensor& hidden) = 0;
  // Adds to the gradients of all weights but the head's share. gradient [N, d]: of forward's result.
  virtual void backward(const at::Tensor& gradient) = 0;
};

}  // namespace softprompt
