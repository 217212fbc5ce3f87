#include "core/t5/step_cache.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace softprompt {
namespace {

// The first n of sixteen.
uint32_t firstOf(int64_t n) {
  return (1u << std::min(n, kBlockPositions)) - 1;
}

template <class T>
T* numbersOf(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

}  // namespace

StepCache::StepCache(int64_t layers, HeadShape heads, at::ScalarType dtype, const std::vector<int64_t>& lengths)
    : layers_(layers), heads_(heads), dtype_(dtype) {
  int64_t blocks = 0;
  for (const int64_t length : lengths) {
    lanes_.push_back({static_cast<int64_t>(rows_.size()), {}});
    rows_.push_back({length, blocks});
    blocks += rows_.back().blocks();
  }
  for (int64_t layer = 0; layer < layers; ++layer)
    encoded_.push_back(at::empty({blocks * heads_.heads * blockShape().numbers()}, at::TensorOptions(dtype_)));
}

void StepCache::select(const at::Tensor& rows) {
  std::vector<Lane> chosen;
  const int64_t* from = rows.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < rows.numel(); ++i) chosen.push_back(lanes_[from[i]]);
  lanes_ = std::move(chosen);
}

void StepCache::advance() {
  const int64_t position = length_++, first = position / kBlockPositions * kBlockPositions;
  if (position == first || lanes() > pages_.back().lanes) {
    const std::vector<int64_t> shape{layers_, lanes(), heads_.heads, blockShape().numbers()};
    pages_.push_back({at::empty(shape, at::TensorOptions(dtype_)), lanes()});
  }
  const int64_t page = static_cast<int64_t>(pages_.size()) - 1;
  for (int64_t lane = 0; lane < lanes(); ++lane) {
    std::vector<Part>& past = lanes_[lane].past;
    const bool goesOn = !past.empty() && past.back().page == page && past.back().place == lane;
    if (!goesOn) past.push_back({page, lane, first, 0});
    past.back().mask |= 1u << (position - first);
  }
}

template <class T>
T* StepCache::blockIn(const Page& page, int64_t layer, int64_t place, int64_t head) const {
  return numbersOf<T>(page.numbers) + ((layer * page.lanes + place) * heads_.heads + head) * blockShape().numbers();
}

template <class T>
void StepCache::past(int64_t layer, int64_t lane, int64_t head, std::vector<PastPart<T>>& parts) const {
  parts.clear();
  for (const Part& part : lanes_[lane].past) {
    const T* block = blockIn<T>(pages_[part.page], layer, part.place, head);
    parts.push_back({block, block + blockShape().keys(), part.first, part.mask});
  }
}

template <class T>
Slot<T> StepCache::newest(int64_t layer, int64_t lane, int64_t head) const {
  T* block = blockIn<T>(pages_.back(), layer, lane, head);
  return {block, block + blockShape().keys(), (length_ - 1) % kBlockPositions};
}

// The first one's.
template <class T>
Slot<T> StepCache::encodedBlocks(int64_t layer, int64_t row, int64_t head) const {
  const Row& here = rows_[row];
  T* keys =
      numbersOf<T>(encoded_[layer]) + (here.firstBlock * heads_.heads + head * here.blocks()) * blockShape().numbers();
  return {keys, keys + here.blocks() * blockShape().keys(), 0};
}

template <class T>
Slot<T> StepCache::encodedSlot(int64_t layer, int64_t row, int64_t head, int64_t position) const {
  const Slot<T> first = encodedBlocks<T>(layer, row, head);
  const int64_t block = position / kBlockPositions;
  return {first.keys + block * blockShape().keys(), first.values + block * blockShape().values(),
          position % kBlockPositions};
}

template <class T>
void StepCache::encoded(int64_t layer, int64_t lane, int64_t head, std::vector<PastPart<T>>& parts) const {
  const int64_t row = lanes_[lane].row, length = rows_[row].length;
  auto [keys, values, place] = encodedBlocks<T>(layer, row, head);
  parts.clear();
  for (int64_t first = 0; first < length; first += kBlockPositions) {
    parts.push_back({keys, values, first, firstOf(length - first)});
    keys += blockShape().keys();
    values += blockShape().values();
  }
}

template void StepCache::past(int64_t, int64_t, int64_t, std::vector<PastPart<float>>&) const;
template void StepCache::past(int64_t, int64_t, int64_t, std::vector<PastPart<uint16_t>>&) const;
template void StepCache::encoded(int64_t, int64_t, int64_t, std::vector<PastPart<float>>&) const;
template void StepCache::encoded(int64_t, int64_t, int64_t, std::vector<PastPart<uint16_t>>&) const;
template Slot<float> StepCache::newest(int64_t, int64_t, int64_t) const;
template Slot<uint16_t> StepCache::newest(int64_t, int64_t, int64_t) const;
template Slot<float> StepCache::encodedSlot(int64_t, int64_t, int64_t, int64_t) const;
template Slot<uint16_t> StepCache::encodedSlot(int64_t, int64_t, int64_t, int64_t) const;

}  // namespace softprompt
