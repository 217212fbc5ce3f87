// Rows of token ids of unequal length, as they cross from JavaScript: all ids in one array, and where each row starts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace softprompt {

// Row i is ids[offsets[i] .. offsets[i + 1]); offsets has rows + 1 entries, the first 0, the last ids.size().
struct TokenRows {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets{0};

  int64_t size() const { return static_cast<int64_t>(offsets.size()) - 1; }
  std::span<const int32_t> row(int64_t i) const {
    return {ids.data() + offsets[i], static_cast<size_t>(offsets[i + 1] - offsets[i])};
  }
  int64_t length(int64_t i) const { return offsets[i + 1] - offsets[i]; }
  void append(std::span<const int32_t> row) {
    ids.insert(ids.end(), row.begin(), row.end());
    offsets.push_back(static_cast<int64_t>(ids.size()));
  }
};

}  // namespace softprompt
