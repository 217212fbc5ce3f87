// Labels as a tree of their prefixes, level by level: what begins alike is decoded once.
#pragma once

#include <cstdint>
#include <vector>

#include "core/runtime/token_rows.h"

namespace softprompt {

struct LabelTree {
  // A prefix, by its last token.
  struct Node {
    int64_t parent;  // in the level above
    int32_t token;
    int64_t lane = -1;  // among the level's nodes that go on; -1: nothing follows
  };
  struct Level {
    std::vector<Node> nodes;
    int64_t lanes = 0;  // nodes that go on
  };
  struct Place {
    int64_t level, node;
  };

  // Labels first .. first + count, of at least one token each. The root, level 0, is the start token.
  LabelTree(const TokenRows& labels, int64_t first, int64_t count, int32_t start);

  std::vector<Level> levels;
  std::vector<Place> ends;  // of each label

  int64_t widest() const;  // lanes of a level
};

}  // namespace softprompt
