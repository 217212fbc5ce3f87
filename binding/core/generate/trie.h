// The token sequences that a constrained output may take, as a tree: which tokens may follow those made so far.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace softprompt {

class TokenTrie {
 public:
  void add(std::span<const int32_t> sequence);
  // The tokens that follow `prefix` in any sequence, ascending; none where no sequence begins so or all end there.
  std::vector<int32_t> next(std::span<const int32_t> prefix) const;
  // Whether all tokens are of 0 .. vocabSize - 1.
  bool isWithin(int64_t vocabSize) const;

 private:
  struct Node {
    std::map<int32_t, size_t> children;  // token -> place in nodes_
  };
  std::vector<Node> nodes_{1};  // the first is the root
};

}  // namespace softprompt
