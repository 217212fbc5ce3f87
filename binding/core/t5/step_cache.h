// Keys and values of a decoding batch for the fast executor's steps. Nothing in it is ever copied or moved: a lane is a
// list of where its past lies, so that beams, finished rows and newcomers change lists only.
//
// Letters: L blocks of the decoder, H heads, d_kv numbers a head.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/ops/attend.h"
#include "core/ops/attention.h"
#include "core/t5/executor.h"

namespace softprompt {

// A position's place in its block's keys and values.
template <class T>
struct Slot {
  T* keys;
  T* values;
  int64_t place;
};

class StepCache final : public DecoderCache {
 public:
  // `lengths` of the encoder's rows; lane i begins with row i.
  StepCache(int64_t layers, HeadShape heads, at::ScalarType dtype, const std::vector<int64_t>& lengths);

  void select(const at::Tensor& rows) override;
  bool takesMore() const override { return true; }
  void append(DecoderCache& fresh) override;

  int64_t lanes() const { return static_cast<int64_t>(lanes_.size()); }
  int64_t length(int64_t lane) const { return lanes_[lane].length; }  // tokens decoded
  int64_t longest() const;
  // One more position for every lane.
  void advance();

  // What a lane's head of a layer has decoded, the newest position included. T: float, or bfloat16 by its bits.
  template <class T>
  void past(int64_t layer, int64_t lane, int64_t head, std::vector<PastPart<T>>& parts) const;
  // Where the newest position's key and value go.
  template <class T>
  Slot<T> newest(int64_t layer, int64_t lane, int64_t head) const;

  // What a lane's head sees of the encoder's output.
  template <class T>
  void encoded(int64_t layer, int64_t lane, int64_t head, std::vector<PastPart<T>>& parts) const;
  int64_t encodedLength(int64_t lane) const { return lanes_[lane].row->length; }
  template <class T>
  Slot<T> encodedSlot(int64_t layer, int64_t lane, int64_t head, int64_t position) const;
  BlockShape blockShape() const { return {heads_.size}; }

 private:
  // Keys and values of an encoder's row, shared by its lanes: [L, H], keys of all blocks and then values.
  struct Row {
    int64_t length;
    at::Tensor numbers;

    int64_t blocks() const { return (length + kBlockPositions - 1) / kBlockPositions; }
  };
  struct Part {
    int64_t block;
    int64_t first;
    uint32_t mask;
  };
  struct Lane {
    std::shared_ptr<const Row> row;
    std::vector<Part> past;
    int64_t length = 0;
    bool ownsLast = false;  // it alone writes to the last part's block
  };

  template <class T>
  Slot<T> encodedBlocks(int64_t layer, const Row& row, int64_t head) const;
  template <class T>
  T* block(int64_t block, int64_t layer, int64_t head) const;
  int64_t takeBlock();
  void releaseUnused();

  const int64_t layers_;
  const HeadShape heads_;
  const at::ScalarType dtype_;
  std::vector<Lane> lanes_;
  // Blocks of sixteen positions, some a slab: [blocks, L, H, numbers of a block]
  std::vector<at::Tensor> slabs_;
  std::vector<int64_t> free_;
};

}  // namespace softprompt
