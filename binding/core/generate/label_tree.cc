#include "core/generate/label_tree.h"

#include <algorithm>
#include <map>
#include <utility>

namespace softprompt {

LabelTree::LabelTree(const TokenRows& labels, int64_t first, int64_t count, int32_t start)
    : levels{{{{0, start}}, 0}}, ends(count, Place{0, 0}) {
  for (size_t level = 0;; ++level) {
    std::map<std::pair<int64_t, int32_t>, int64_t> known;  // (parent, token) -> node
    std::vector<Node> nodes;
    for (int64_t i = 0; i < count; ++i) {
      const auto label = labels.row(first + i);
      if (level >= label.size()) continue;
      const int64_t parent = ends[i].node;
      const auto [node, isNew] = known.try_emplace({parent, label[level]}, std::ssize(nodes));
      if (isNew) nodes.push_back({parent, label[level]});
      ends[i] = {static_cast<int64_t>(level) + 1, node->second};
      Node& above = levels[level].nodes[parent];
      if (above.lane < 0) above.lane = levels[level].lanes++;
    }
    if (nodes.empty()) return;
    levels.push_back({std::move(nodes), 0});
  }
}

int64_t LabelTree::widest() const {
  int64_t widest = 0;
  for (const Level& level : levels) widest = std::max(widest, level.lanes);
  return widest;
}

}  // namespace softprompt
