// The one interface through which the rest of core sees a frozen T5. Two ways to run it: plain (the TorchScript
// module's own methods, the reference) and, where there is one, fast.
//
// Letters: B rows of a batch, S encoder positions (prompt + input), T decoder positions, d = d_model, V = vocabulary.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

#include "core/runtime/yield_point.h"
#include "core/t5/config.h"

namespace softprompt {

// What a dropout site needs: a mask times 1 / (1 - rate), drawn from (seed, step, site, row), shared over the length
// axis as in T5X (broadcast_dims = -2). Null: no dropout.
class DropoutMasks {
 public:
  virtual ~DropoutMasks() = default;
  // A float32 tensor of `shape` holding 0 or 1 / (1 - rate); `site` numbers the place in the network, the same in every
  // run.
  virtual at::Tensor mask(int64_t site, at::IntArrayRef shape) const = 0;
};

// What one pass through the network carries beside its tensors.
struct Pass {
  YieldPoint& yieldPoint;
  const DropoutMasks* dropout = nullptr;
};

struct Encoded {
  at::Tensor hidden;  // [B, S, d], after the final norm
  at::Tensor mask;    // [B, S] bool, true = a real position
};

// A token after row `row` of the decoder's hidden states.
struct Pick {
  int64_t row;
  int64_t token;
};

// Keys and values of one decoding batch. Rows can be dropped or reordered between steps.
class DecoderCache {
 public:
  virtual ~DecoderCache() = default;
  virtual void select(const at::Tensor& rows) = 0;  // int64 [B']: row i of the new batch was rows[i] of the old one
  // As select, of as many rows, where row i and row rows[i] have the same encoder output: beams of one query.
  virtual void reorder(const at::Tensor& rows) { select(rows); }
  // Whether rows may be at different positions, so that others can join; select then copies nothing either.
  virtual bool takesMore() const { return false; }
  // The rows of `fresh`, which the same executor started and nothing was decoded with, come behind these.
  virtual void append(DecoderCache& fresh) { throw std::logic_error("this cache takes no more rows"); }
};

class Trainable;

class Executor {
 public:
  virtual ~Executor() = default;
  virtual const T5Config& config() const = 0;
  virtual at::ScalarType dtype() const = 0;
  virtual at::Device device() const = 0;

  virtual at::Tensor embed(const at::Tensor& ids) = 0;  // int64 [B, T] -> [B, T, d] in dtype()
  // embeds [B, S, d] (any float dtype; differentiable), mask [B, S] bool. Positions are 0..S-1, one bias for prompt and
  // text.
  virtual Encoded encode(const at::Tensor& embeds, const at::Tensor& mask, Pass& pass) = 0;
  // Teacher-forced: ids int64 [B, T] already shifted right (first = decoder_start_token_id) -> decoder hidden [B, T, d]
  virtual at::Tensor decode(const at::Tensor& ids, const Encoded& encoded, Pass& pass) = 0;
  // [..., d] -> [..., V], head and scale applied; dtype() or float32
  virtual at::Tensor logits(const at::Tensor& decoderHidden) = 0;
  // log Pr of each picked token, from float32 logits that are never kept; nothing: logits() is as quick.
  virtual std::vector<float> logProbs(const at::Tensor& decoderHidden, const std::vector<Pick>& picks) { return {}; }
  // Whether encode, decode and logits can be differentiated.
  virtual bool isDifferentiable() const { return true; }

  virtual std::unique_ptr<DecoderCache> startCache(const Encoded& encoded, Pass& pass) = 0;
  virtual at::Tensor step(const at::Tensor& ids, DecoderCache& cache,
                          Pass& pass) = 0;  // int64 [B] -> decoder hidden [B, d]

  // How all weights are trained; null where they cannot be. The executor outlives it.
  virtual std::unique_ptr<Trainable> trainable();
  // To be told after parameters() were changed in place: what is kept of their values is made anew.
  virtual void weightsChanged() {}

  // All tensors by their checkpoint names (for freezing tests, fingerprints and sizes).
  virtual std::vector<std::pair<std::string, at::Tensor>> parameters() const = 0;
};

}  // namespace softprompt
