#include "core/checkpoint/torchscript.h"

#include <ATen/ops/empty.h>

#include <array>

#include "core/checkpoint/pickle.h"
#include "core/runtime/error.h"

namespace softprompt {

using Kind = PickleValue::Kind;

namespace {

struct StorageRow {
  const char* pickled;
  const char* name;
  at::ScalarType type;
  int64_t bytes;
};
constexpr std::array<StorageRow, 5> kStorages{{{"torch.FloatStorage", "F32", at::kFloat, 4},
                                               {"torch.BFloat16Storage", "BF16", at::kBFloat16, 2},
                                               {"torch.HalfStorage", "F16", at::kHalf, 2},
                                               {"torch.DoubleStorage", "F64", at::kDouble, 8},
                                               {"torch.LongStorage", "I64", at::kLong, 8}}};

constexpr int kMaxDepth = 32;
constexpr size_t kMaxValues = 1'000'000;

}  // namespace

// Walks the pickled module; a submodule is an object whose state is a dict of its attributes.
class ModuleWalk {
 public:
  explicit ModuleWalk(TorchScriptFile& file) : file_(file) {}

  void object(const PickleValue& value, const std::string& prefix, int depth) {
    if (depth > kMaxDepth || ++visited_ > kMaxValues) file_.invalid("its module is nested too deeply");
    if (value.kind != Kind::kObject || !value.state || value.state->kind != Kind::kDict) {
      file_.invalid("its module is not made of plain submodules");
    }
    const std::vector<const PickleValue*>& items = value.state->items;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      if (items[i]->kind != Kind::kString) file_.invalid("an attribute without a name");
      attribute(*items[i + 1], prefix + items[i]->text, depth);
    }
  }

 private:
  void attribute(const PickleValue& value, const std::string& name, int depth) {
    if (value.kind == Kind::kObject) return object(value, name + ".", depth + 1);
    if (value.kind == Kind::kTensor) return tensor(value, name);
    if (++visited_ > kMaxValues) file_.invalid("its module holds too many values");
  }

  std::vector<int64_t> sizes(const PickleValue& tuple, const std::string& name) {
    std::vector<int64_t> out;
    if (tuple.kind != Kind::kTuple || tuple.items.size() > 8) file_.invalid("the tensor " + name + " has no shape");
    for (const PickleValue* item : tuple.items) {
      if (item->kind != Kind::kInt || item->integer < 0)
        file_.invalid("the tensor " + name + " has a shape that is none");
      out.push_back(item->integer);
    }
    return out;
  }

  // Values in row-major order, side by side; their number, with every product checked.
  int64_t elements(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides, const std::string& name) {
    int64_t count = 1;
    if (shape.size() != strides.size()) file_.invalid("the tensor " + name + " has a shape that is none");
    for (size_t i = shape.size(); i-- > 0;) {
      if (shape[i] != 1 && strides[i] != count) file_.invalid("the tensor " + name + " is not contiguous");
      if (__builtin_mul_overflow(count, shape[i], &count)) file_.invalid("the tensor " + name + " is too large");
    }
    return count;
  }

  void tensor(const PickleValue& value, const std::string& name) {
    if (value.items.size() < 4 || value.items[0]->kind != Kind::kStorage || value.items[1]->kind != Kind::kInt) {
      file_.invalid("the tensor " + name + " is damaged");
    }
    const PickleValue& storage = *value.items[0];
    const StorageRow* row = nullptr;
    for (const StorageRow& known : kStorages) {
      if (storage.items[1]->text == known.pickled) row = &known;
    }
    if (!row) file_.invalid("the tensor " + name + " is of a kind that is not read: " + storage.items[1]->text);

    TorchScriptFile::Stored stored{"data/" + storage.items[2]->text, row->type, 0, sizes(*value.items[2], name)};
    const int64_t count = elements(stored.shape, sizes(*value.items[3], name), name);
    const int64_t start = value.items[1]->integer,
                  held = static_cast<int64_t>(file_.entry(stored.entry).bytes) / row->bytes;
    if (start < 0 || start > held || count > held - start)
      file_.invalid("the tensor " + name + " goes beyond its storage");
    stored.offset = static_cast<uint64_t>(start * row->bytes);
    file_.infos_.push_back({name, row->name, stored.shape});
    if (!file_.stored_.emplace(name, std::move(stored)).second) file_.invalid("the tensor " + name + " is there twice");
  }

  TorchScriptFile& file_;
  size_t visited_ = 0;
};

TorchScriptFile::TorchScriptFile(const std::string& path) : TorchScriptFile(std::make_shared<ReadFile>(path)) {}

TorchScriptFile::TorchScriptFile(std::shared_ptr<const ReadFile> file) : zip_(std::move(file)) {
  for (const ZipEntry& entry : zip_.entries()) {
    const size_t slash = entry.name.find('/');
    if (slash != std::string::npos && entry.name.substr(slash) == "/data.pkl")
      prefix_ = entry.name.substr(0, slash + 1);
  }
  if (prefix_.empty()) invalid("it holds no data.pkl");
  if (const ZipEntry* order = zip_.find(prefix_ + "byteorder"); order && zip_.text(*order) != "little") {
    invalid("its numbers are big-endian");
  }
}

void TorchScriptFile::invalid(const std::string& what) const {
  throw Error("TORCHSCRIPT_INVALID", path() + " cannot be read as a TorchScript model: " + what);
}

const ZipEntry& TorchScriptFile::entry(const std::string& name) const {
  const ZipEntry* found = zip_.find(prefix_ + name);
  if (!found) invalid("the entry " + name + " is missing");
  return *found;
}

std::optional<std::string> TorchScriptFile::extra(const std::string& name) const {
  const ZipEntry* found = zip_.find(prefix_ + "extra/" + name);
  if (!found) return std::nullopt;
  return zip_.text(*found);
}

std::map<std::string, std::string> TorchScriptFile::code() const {
  std::map<std::string, std::string> out;
  for (const ZipEntry& entry : zip_.entries()) {
    if (!entry.name.starts_with(prefix_)) invalid("the entry " + entry.name + " is out of place");
    const std::string name = entry.name.substr(prefix_.size());
    const bool isDebug = name.ends_with(".debug_pkl");  // where in its source each line stood
    if ((name.starts_with("code/") && !isDebug) || name == "constants.pkl") out[name] = zip_.raw(entry);
  }
  return out;
}

void TorchScriptFile::parseModule() {
  const std::string bytes = zip_.text(entry("data.pkl"));
  try {
    const Pickle pickle(bytes);
    ModuleWalk(*this).object(pickle.root(), "", 0);
  } catch (const PickleSyntax& e) {
    invalid(e.what());
  }
}

at::Tensor TorchScriptFile::read(const std::string& name) const {
  const auto found = stored_.find(name);
  if (found == stored_.end()) invalid("it has no tensor " + name);
  const Stored& stored = found->second;
  at::Tensor tensor = at::empty(stored.shape, at::TensorOptions().dtype(stored.type));
  zip_.read(entry(stored.entry), stored.offset, tensor.mutable_data_ptr(), tensor.nbytes());
  return tensor;
}

}  // namespace softprompt
