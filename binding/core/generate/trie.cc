#include "core/generate/trie.h"

#include <algorithm>

namespace softprompt {

void TokenTrie::add(std::span<const int32_t> sequence) {
  size_t at = 0;
  for (const int32_t token : sequence) {
    const auto [child, isNew] = nodes_[at].children.try_emplace(token, nodes_.size());
    at = child->second;
    if (isNew) nodes_.emplace_back();
  }
}

std::vector<int32_t> TokenTrie::next(std::span<const int32_t> prefix) const {
  size_t at = 0;
  for (const int32_t token : prefix) {
    const auto child = nodes_[at].children.find(token);
    if (child == nodes_[at].children.end()) return {};
    at = child->second;
  }
  std::vector<int32_t> tokens;
  for (const auto& [token, child] : nodes_[at].children) tokens.push_back(token);
  return tokens;
}

bool TokenTrie::isWithin(int64_t vocabSize) const {
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const Node& node) {
    return node.children.empty() || (node.children.begin()->first >= 0 && node.children.rbegin()->first < vocabSize);
  });
}

}  // namespace softprompt
