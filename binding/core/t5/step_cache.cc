#include "core/t5/step_cache.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace softprompt {
namespace {

constexpr int64_t kSlabBlocks = 16;

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
  for (const int64_t length : lengths) {
    Row row{length, {}};
    row.numbers =
        at::empty({layers_ * heads_.heads * row.blocks() * blockShape().numbers()}, at::TensorOptions(dtype_));
    lanes_.push_back({std::make_shared<const Row>(std::move(row)), {}});
  }
}

void StepCache::select(const at::Tensor& rows) {
  std::vector<Lane> chosen;
  const int64_t* from = rows.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < rows.numel(); ++i) {
    chosen.push_back(lanes_[from[i]]);
    lanes_[from[i]].ownsLast = false;  // the first one has it
  }
  lanes_ = std::move(chosen);
  releaseUnused();
}

void StepCache::append(DecoderCache& fresh) {
  auto& other = dynamic_cast<StepCache&>(fresh);
  if (!other.slabs_.empty()) throw std::logic_error("only a cache that nothing was decoded with can be appended");
  std::move(other.lanes_.begin(), other.lanes_.end(), std::back_inserter(lanes_));
  other.lanes_.clear();
}

int64_t StepCache::longest() const {
  int64_t longest = 0;
  for (const Lane& lane : lanes_) longest = std::max(longest, lane.length);
  return longest;
}

void StepCache::advance() {
  for (Lane& lane : lanes_) {
    const int64_t position = lane.length++, place = position % kBlockPositions;
    if (place == 0 || !lane.ownsLast) lane.past.push_back({takeBlock(), position - place, 0});
    lane.ownsLast = true;
    lane.past.back().mask |= 1u << place;
  }
}

int64_t StepCache::takeBlock() {
  if (free_.empty()) {
    const std::vector<int64_t> shape{kSlabBlocks, layers_, heads_.heads, blockShape().numbers()};
    const auto first = static_cast<int64_t>(slabs_.size()) * kSlabBlocks;
    slabs_.push_back(at::empty(shape, at::TensorOptions(dtype_)));
    for (int64_t block = first + kSlabBlocks; block-- > first;) free_.push_back(block);
  }
  const int64_t block = free_.back();
  free_.pop_back();
  return block;
}

void StepCache::releaseUnused() {
  std::vector<bool> isUsed(slabs_.size() * kSlabBlocks);
  for (const Lane& lane : lanes_)
    for (const Part& part : lane.past) isUsed[part.block] = true;
  free_.clear();
  for (size_t block = isUsed.size(); block-- > 0;)
    if (!isUsed[block]) free_.push_back(static_cast<int64_t>(block));
}

template <class T>
T* StepCache::block(int64_t block, int64_t layer, int64_t head) const {
  const int64_t place = (block % kSlabBlocks * layers_ + layer) * heads_.heads + head;
  return numbersOf<T>(slabs_[block / kSlabBlocks]) + place * blockShape().numbers();
}

template <class T>
void StepCache::past(int64_t layer, int64_t lane, int64_t head, std::vector<PastPart<T>>& parts) const {
  parts.clear();
  for (const Part& part : lanes_[lane].past) {
    const T* keys = block<T>(part.block, layer, head);
    parts.push_back({keys, keys + blockShape().keys(), part.first, part.mask});
  }
}

template <class T>
Slot<T> StepCache::newest(int64_t layer, int64_t lane, int64_t head) const {
  T* keys = block<T>(lanes_[lane].past.back().block, layer, head);
  return {keys, keys + blockShape().keys(), (lanes_[lane].length - 1) % kBlockPositions};
}

// The first one's.
template <class T>
Slot<T> StepCache::encodedBlocks(int64_t layer, const Row& row, int64_t head) const {
  const int64_t place = (layer * heads_.heads + head) * row.blocks();
  T* keys = numbersOf<T>(row.numbers) + place * blockShape().numbers();
  return {keys, keys + row.blocks() * blockShape().keys(), 0};
}

template <class T>
Slot<T> StepCache::encodedSlot(int64_t layer, int64_t lane, int64_t head, int64_t position) const {
  const Slot<T> first = encodedBlocks<T>(layer, *lanes_[lane].row, head);
  const int64_t block = position / kBlockPositions;
  return {first.keys + block * blockShape().keys(), first.values + block * blockShape().values(),
          position % kBlockPositions};
}

template <class T>
void StepCache::encoded(int64_t layer, int64_t lane, int64_t head, std::vector<PastPart<T>>& parts) const {
  const Row& row = *lanes_[lane].row;
  auto [keys, values, place] = encodedBlocks<T>(layer, row, head);
  parts.clear();
  for (int64_t first = 0; first < row.length; first += kBlockPositions) {
    parts.push_back({keys, values, first, firstOf(row.length - first)});
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
