#include "core/checkpoint/shard_index.h"

#include <algorithm>
#include <set>

#include "core/checkpoint/json.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

constexpr size_t kMostShards = 512, kLongestName = 255;

[[noreturn]] void invalid(const std::string& path, const std::string& what) {
  throw Error("MODEL_FILE_INVALID", path + " cannot be used as an index of shards: " + what);
}

// One component of a path, and none that leads elsewhere.
bool isPlainName(const std::string& name) {
  return !name.empty() && name.size() <= kLongestName && name[0] != '.' &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

Json parse(std::string_view text, const std::string& path) {
  try {
    return parseJson(text);
  } catch (const JsonSyntax& e) {
    invalid(path, std::string("it is no JSON: ") + e.what());
  }
}

}  // namespace

ShardIndex::ShardIndex(std::string_view text, const std::string& path, std::string_view ending) {
  const Json json = parse(text, path);
  const Json* map = json.find("weight_map");
  if (!map || !map->object()) invalid(path, "it has no weight_map");
  std::set<std::string> names;
  for (const auto& [tensor, shard] : *map->object()) {
    if (!shard.string() || !isPlainName(*shard.string())) {
      invalid(path, "the shard of the tensor " + tensor + " is not the name of a file in the same folder");
    }
    if (!shard.string()->ends_with(ending)) {
      invalid(path, "the shard " + *shard.string() + " does not end in " + std::string(ending));
    }
    names.insert(*shard.string());
    shardOfTensor_[tensor] = *shard.string();
  }
  if (names.empty()) invalid(path, "its weight_map is empty");
  if (names.size() > kMostShards) invalid(path, "it names more than " + std::to_string(kMostShards) + " shards");
  shards_.assign(names.begin(), names.end());
}

}  // namespace softprompt
