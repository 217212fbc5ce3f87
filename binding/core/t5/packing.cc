#include "core/t5/packing.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <numeric>

namespace softprompt {
namespace {

// The number of real positions of each row; empty where a row has none, or one behind a padded one.
std::vector<int64_t> lengthsOf(const at::Tensor& mask) {
  const at::Tensor dense = mask.contiguous();
  const int64_t rows = dense.size(0), positions = dense.size(1);
  const bool* real = dense.const_data_ptr<bool>();
  std::vector<int64_t> lengths;
  for (int64_t row = 0; row < rows; ++row, real += positions) {
    const int64_t length = std::find(real, real + positions, false) - real;
    if (length == 0 || std::find(real + length, real + positions, true) != real + positions) return {};
    lengths.push_back(length);
  }
  return lengths;
}

// So many that shapes repeat, and few beside what there is.
int64_t roundedUp(int64_t tokens) {
  const int64_t to = tokens < 512 ? 16 : 64;
  return (tokens + to - 1) / to * to;
}

}  // namespace

std::optional<Packing> packingOf(const at::Tensor& mask) {
  const std::vector<int64_t> lengths = lengthsOf(mask);
  if (lengths.empty()) return std::nullopt;
  std::vector<int64_t> order(lengths.size()), sorted, places;
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return lengths[a] < lengths[b]; });
  for (const int64_t row : order) {
    sorted.push_back(lengths[row]);
    for (int64_t s = 0; s < lengths[row]; ++s) places.push_back(row * mask.size(1) + s);
  }
  const auto tokens = static_cast<int64_t>(places.size());
  places.resize(roundedUp(tokens), 0);
  return Packing{.groups = groupsOf(sorted),
                 .order = at::tensor(order, at::kLong),
                 .places = at::tensor(places, at::kLong),
                 .tokens = tokens,
                 .longest = sorted.back(),
                 .positions = mask.size(1)};
}

}  // namespace softprompt
