#include "core/checkpoint/tensor_source.h"

#include <algorithm>
#include <cstring>

#include "core/checkpoint/dtype.h"

namespace softprompt {

TensorCursor::TensorCursor(const TensorInfo& tensor)
    : tensor_(tensor), bytes_(findDtype(tensor.dtype)->bytes), offset_(tensor.place.offset) {
  const std::vector<int64_t>& strides = tensor.place.strides;
  if (strides.empty() || tensor.elements() == 0) return;
  uint64_t span = 1;
  for (size_t i = 0; i < strides.size(); ++i) span += static_cast<uint64_t>((tensor.shape[i] - 1) * strides[i]);
  storage_ = tensor.place.file->text(offset_, span * bytes_);
  index_.assign(strides.size(), 0);
}

void TensorCursor::next(void* to, uint64_t elements) {
  if (!index_.empty()) return gather(static_cast<char*>(to), elements);
  tensor_.place.file->read(offset_, to, elements * bytes_);
  offset_ += elements * bytes_;
}

void TensorCursor::gather(char* to, uint64_t elements) {
  const std::vector<int64_t>&shape = tensor_.shape, &strides = tensor_.place.strides;
  const size_t last = shape.size() - 1;
  const auto copy = [&]<typename Number>(Number) {
    while (elements > 0) {
      int64_t from = 0;
      for (size_t i = 0; i <= last; ++i) from += index_[i] * strides[i];
      const int64_t run = std::min<int64_t>(shape[last] - index_[last], static_cast<int64_t>(elements));
      for (int64_t i = 0; i < run; ++i) {
        std::memcpy(to, storage_.data() + static_cast<size_t>(from + i * strides[last]) * sizeof(Number),
                    sizeof(Number));
        to += sizeof(Number);
      }
      elements -= static_cast<uint64_t>(run);
      index_[last] += run;
      for (size_t i = last; i > 0 && index_[i] == shape[i]; --i) {
        index_[i] = 0;
        ++index_[i - 1];
      }
    }
  };
  switch (bytes_) {
    case 8:
      return copy(uint64_t{});
    case 4:
      return copy(uint32_t{});
    case 2:
      return copy(uint16_t{});
    default:
      return copy(uint8_t{});
  }
}

}  // namespace softprompt
