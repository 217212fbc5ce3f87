// The index of a checkpoint in shards: *.index.json.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace softprompt {

class ShardIndex {
 public:
  // `text` is the file's text, `ending` that of its shards' names (".safetensors"). Throws Error MODEL_FILE_INVALID,
  // naming `path`: a shard's name must be that of a file in the same folder.
  ShardIndex(std::string_view text, const std::string& path, std::string_view ending);

  const std::vector<std::string>& shards() const { return shards_; }  // sorted, each once
  const std::unordered_map<std::string, std::string>& shardOfTensor() const { return shardOfTensor_; }

 private:
  std::vector<std::string> shards_;
  std::unordered_map<std::string, std::string> shardOfTensor_;
};

}  // namespace softprompt
