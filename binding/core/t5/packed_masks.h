// The masks of a pass's dropout sites, for tokens without padding. The sites and their numbers are the plain
// executor's, so that both drop the same.
//
// Letters: B rows, N tokens of all rows, H heads.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/index_select.h>

#include "core/t5/executor.h"

namespace softprompt {

class PackedMasks {
 public:
  // `masks` may be null: no dropout. `first`: the number of the stack's first site. `order` [B]: as Packing's.
  PackedMasks(const DropoutMasks* masks, int64_t first, at::Tensor order)
      : masks_(masks), first_(first), order_(std::move(order)) {}

  bool isOn() const { return masks_ != nullptr; }

  // float32 [B, width], of the stack's site `site`; undefined where there is no dropout.
  at::Tensor ofRows(int64_t site, int64_t width) const {
    if (!isOn()) return {};
    return masks_->mask(first_ + site, {order_.size(0), 1, width}).squeeze(1).index_select(0, order_);
  }

  // float32 [B positions, H] of whole rows, or [N, H] of the tokens at `places` (as Packing's).
  at::Tensor ofHeads(int64_t site, int64_t heads, int64_t positions, const at::Tensor& places = {}) const {
    if (!isOn()) return {};
    const at::Tensor masks = masks_->mask(first_ + site, {order_.size(0), heads, positions, 1}).squeeze(3);
    const at::Tensor byToken = masks.transpose(1, 2);  // [B, positions, H]
    if (places.defined()) return byToken.flatten(0, 1).index_select(0, places);
    return byToken.index_select(0, order_).flatten(0, 1).contiguous();
  }

 private:
  const DropoutMasks* masks_;
  int64_t first_;
  at::Tensor order_;
};

// What the sites of one sublayer drop; undefined tensors: nothing.
struct AttentionMasks {
  at::Tensor values;  // [tokens, H]
  at::Tensor output;  // [B, d]
};
struct FeedForwardMasks {
  at::Tensor inner;   // [B, ff]
  at::Tensor output;  // [B, d]
};

}  // namespace softprompt
