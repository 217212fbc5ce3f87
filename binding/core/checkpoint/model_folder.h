// The weights in a Hugging Face model's folder, in whichever of its forms: model.safetensors or pytorch_model.bin,
// whole or in shards with an index. Safetensors is preferred.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_source.h"

namespace softprompt {

class ModelFolder final : public TensorSource {
 public:
  enum class Format { kSafetensors, kStateDict };
  struct Shard {
    std::string name;
    uint64_t bytes = 0;
  };

  // Throws Error MODEL_FILE_MISSING, MODEL_FILE_INVALID (an index that contradicts its shards or names a file outside
  // of the folder), and what the format's reader throws.
  explicit ModelFolder(const std::string& folder);

  Format format() const { return format_; }
  const std::vector<Shard>& shards() const { return shards_; }  // one, where there is no index
  bool isSharded() const { return isSharded_; }

 private:
  void takeWhole(const std::string& name);
  void takeShards(const std::string& indexPath);
  void takeShard(const std::string& indexPath, const std::string& name, const class ShardIndex& index);

  std::string folder_;
  Format format_ = Format::kSafetensors;
  bool isSharded_ = false;
  std::vector<Shard> shards_;
};

}  // namespace softprompt
