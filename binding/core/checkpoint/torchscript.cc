#include "core/checkpoint/torchscript.h"

#include <algorithm>

namespace softprompt {

using Kind = PickleValue::Kind;

namespace {

constexpr int kMaxDepth = 32;
constexpr size_t kMaxValues = 300'000, kMaxName = 1024;

}  // namespace

// Walks the pickled module; a submodule is an object whose state is a dict of its attributes.
class ModuleWalk {
 public:
  explicit ModuleWalk(TorchScriptFile& file) : file_(file), archive_(file.archive_) {}

  void object(const PickleValue& value, const std::string& prefix, int depth) {
    if (depth > kMaxDepth || ++visited_ > kMaxValues) archive_.fail("its module is nested too deeply");
    if (value.kind != Kind::kObject || !value.state || value.state->kind != Kind::kDict) {
      archive_.fail("its module is not made of plain submodules");
    }
    const std::vector<const PickleValue*>& items = value.state->items;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      if (items[i]->kind != Kind::kString) archive_.fail("an attribute without a name");
      if (prefix.size() + items[i]->text.size() > kMaxName) archive_.fail("an attribute of an unreasonable name");
      attribute(*items[i + 1], prefix + items[i]->text, depth);
    }
  }

 private:
  void attribute(const PickleValue& value, const std::string& name, int depth) {
    if (++visited_ > kMaxValues) archive_.fail("its module holds too many values");
    if (value.kind == Kind::kObject) return object(value, name + ".", depth + 1);
    if (value.kind != Kind::kTensor) return;
    if (!file_.add(archive_.tensorOf(value, name))) archive_.fail("the tensor " + name + " is there twice");
  }

  TorchScriptFile& file_;
  const TorchArchive& archive_;
  size_t visited_ = 0;
};

TorchScriptFile::TorchScriptFile(const std::string& path) : TorchScriptFile(std::make_shared<ReadFile>(path)) {}

TorchScriptFile::TorchScriptFile(const std::shared_ptr<const ReadFile>& file)
    : TensorSource(file->path()), archive_(file, "TORCHSCRIPT_INVALID") {}

bool TorchScriptFile::isModule() const {
  return archive_.find("constants.pkl") != nullptr;
}

std::optional<std::string> TorchScriptFile::extra(const std::string& name) const {
  const ZipEntry* found = archive_.find("extra/" + name);
  if (!found) return std::nullopt;
  return archive_.zip().text(*found);
}

std::map<std::string, std::string> TorchScriptFile::code() const {
  constexpr uint64_t kMaxCode = 32 << 20;
  std::map<std::string, std::string> out;
  uint64_t bytes = 0;
  for (const ZipEntry& entry : archive_.zip().entries()) {
    if (!entry.name.starts_with(archive_.prefix())) archive_.fail("an entry stands outside of its folder");
    const std::string name = entry.name.substr(archive_.prefix().size());
    const bool isDebug = name.ends_with(".debug_pkl");  // where in its source each line stood
    if ((!name.starts_with("code/") || isDebug) && name != "constants.pkl") continue;
    if ((bytes += entry.bytes) > kMaxCode) archive_.fail("its code is too large");
    out[name] = archive_.zip().raw(entry);
  }
  return out;
}

size_t TorchScriptFile::storages() const {
  const std::string folder = archive_.prefix() + "data/";
  const std::vector<ZipEntry>& entries = archive_.zip().entries();
  return static_cast<size_t>(std::count_if(entries.begin(), entries.end(),
                                           [&](const ZipEntry& entry) { return entry.name.starts_with(folder); }));
}

void TorchScriptFile::parseModule() {
  try {
    const Pickle pickle = archive_.pickle();
    ModuleWalk(*this).object(pickle.root(), "", 0);
  } catch (const PickleSyntax& e) {
    archive_.fail(e.what());
  }
  archive_.checkTotal(tensors());
}

}  // namespace softprompt
