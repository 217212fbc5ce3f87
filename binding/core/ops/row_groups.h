// Rows of unequal length laid end to end, with no padding between them.
#pragma once

#include <cstdint>
#include <vector>

namespace softprompt {

// Rows that stand side by side and are equally long: a batch of their own.
struct RowGroup {
  int64_t row = 0;     // the first one's number
  int64_t offset = 0;  // the first one's first token
  int64_t rows = 0;
  int64_t length = 0;

  int64_t tokens() const { return rows * length; }
};

// `lengths` of the rows in the order in which they are laid.
inline std::vector<RowGroup> groupsOf(const std::vector<int64_t>& lengths) {
  std::vector<RowGroup> groups;
  int64_t offset = 0;
  for (size_t row = 0; row < lengths.size(); ++row) {
    if (groups.empty() || groups.back().length != lengths[row]) {
      groups.push_back({static_cast<int64_t>(row), offset, 0, lengths[row]});
    }
    ++groups.back().rows;
    offset += lengths[row];
  }
  return groups;
}

// Tokens of all groups.
inline int64_t tokensOf(const std::vector<RowGroup>& groups) {
  return groups.back().offset + groups.back().tokens();
}

}  // namespace softprompt
