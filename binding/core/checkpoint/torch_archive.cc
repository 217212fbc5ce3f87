#include "core/checkpoint/torch_archive.h"

#include "core/checkpoint/dtype.h"
#include "core/runtime/error.h"

namespace softprompt {

using Kind = PickleValue::Kind;

namespace {

constexpr size_t kMostDimensions = 8;
constexpr uint64_t kMostCopies = 4;  // shared, the two stacks' embed_tokens, lm_head

// One tensor's description; every failure names it.
class TensorCheck {
 public:
  TensorCheck(const TorchArchive& archive, const std::string& name) : archive_(archive), name_(name) {}

  TensorInfo describe(const PickleValue& value) const {
    if (value.items[0]->kind != Kind::kStorage || value.items[1]->kind != Kind::kInt) fail("is damaged");
    const PickleValue& storage = *value.items[0];
    const Dtype* dtype = findStorage(storage.items[1]->text);
    if (!dtype) fail("is of a kind that is not read: " + storage.items[1]->text);
    const ZipEntry& entry = storageEntry(storage, *dtype);

    TensorInfo out{name_, dtype->name, numbers(*value.items[2], "shape"), {archive_.zip().file(), entry.offset, {}}};
    std::vector<int64_t> strides = numbers(*value.items[3], "strides");
    const int64_t held = static_cast<int64_t>(entry.bytes / dtype->bytes), start = value.items[1]->integer;
    const int64_t span = spanOf(out.shape, strides);
    if (start < 0 || start > held || span > held - start) fail("goes beyond its storage");
    out.place.offset += static_cast<uint64_t>(start) * dtype->bytes;
    if (!isRowMajor(out.shape, strides)) out.place.strides = std::move(strides);
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { archive_.fail("the tensor " + name_ + " " + what); }

  const ZipEntry& storageEntry(const PickleValue& storage, const Dtype& dtype) const {
    const std::string& key = storage.items[2]->text;
    const ZipEntry* entry = key.size() > 100 ? nullptr : archive_.find("data/" + key);
    if (!entry) fail("has no storage in the archive");
    if (!entry->isStored) fail("has a compressed storage");
    uint64_t bytes = 0;
    const int64_t size = storage.items[4]->integer;
    if (size < 0 || __builtin_mul_overflow(static_cast<uint64_t>(size), dtype.bytes, &bytes) || bytes != entry->bytes) {
      fail("has a storage of " + std::to_string(entry->bytes) + " bytes, which contradicts its " +
           std::to_string(size) + " numbers");
    }
    return *entry;
  }

  std::vector<int64_t> numbers(const PickleValue& tuple, const char* what) const {
    std::vector<int64_t> out;
    if (tuple.kind != Kind::kTuple || tuple.items.size() > kMostDimensions) fail(std::string("has no ") + what);
    for (const PickleValue* item : tuple.items) {
      if (item->kind != Kind::kInt || item->integer < 0) fail(std::string("has a bad number in its ") + what);
      out.push_back(item->integer);
    }
    return out;
  }

  // How many numbers from the first to the last, both included; products and sums checked. No two indices may share a
  // number more than the storage has numbers: a view that repeats (stride 0) is no weight.
  int64_t spanOf(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) const {
    if (shape.size() != strides.size()) fail("has strides that do not fit its shape");
    int64_t span = 1, count = 1, reach = 0;
    bool isEmpty = false;
    for (size_t i = 0; i < shape.size(); ++i) {
      isEmpty = isEmpty || shape[i] == 0;
      const int64_t size = shape[i] == 0 ? 1 : shape[i];
      if (__builtin_mul_overflow(count, size, &count) || __builtin_mul_overflow(size - 1, strides[i], &reach) ||
          __builtin_add_overflow(span, reach, &span)) {
        fail("is too large");
      }
    }
    if (count > int64_t{1} << 58) fail("is too large");
    if (isEmpty) return 0;
    if (count > span) fail("repeats its numbers (an expanded view); save it contiguous");
    return span;
  }

  static bool isRowMajor(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
    int64_t expected = 1;
    for (size_t i = shape.size(); i-- > 0;) {
      if (shape[i] > 1 && strides[i] != expected) return false;
      expected *= shape[i] == 0 ? 1 : shape[i];
    }
    return true;
  }

  const TorchArchive& archive_;
  const std::string& name_;
};

}  // namespace

TorchArchive::TorchArchive(std::shared_ptr<const ReadFile> file, const char* errorCode)
    : zip_(std::move(file), errorCode) {
  for (const ZipEntry& entry : zip_.entries()) {
    const size_t slash = entry.name.find('/');
    if (slash == std::string::npos || entry.name.substr(slash) != "/data.pkl") continue;
    if (!prefix_.empty()) fail("it holds two data.pkl");
    prefix_ = entry.name.substr(0, slash + 1);
  }
  if (prefix_.empty()) fail("it holds no data.pkl");
  if (const ZipEntry* order = find("byteorder"); order && zip_.text(*order) != "little") {
    fail("its numbers are big-endian");
  }
}

const ZipEntry& TorchArchive::entry(const std::string& name) const {
  const ZipEntry* found = find(name);
  if (!found) fail("the entry " + name + " is missing");
  return *found;
}

Pickle TorchArchive::pickle() const {
  return Pickle(zip_.text(entry("data.pkl")));
}

TensorInfo TorchArchive::tensorOf(const PickleValue& value, const std::string& name) const {
  return TensorCheck(*this, name).describe(value);
}

void TorchArchive::checkTotal(const std::vector<TensorInfo>& tensors) const {
  uint64_t bytes = 0;  // no sum of 300,000 tensors, each inside the file, overflows
  for (const TensorInfo& tensor : tensors) {
    bytes += static_cast<uint64_t>(tensor.elements()) * findDtype(tensor.dtype)->bytes;
  }
  if (bytes / kMostCopies > zip_.file()->size()) fail("its tensors share their numbers too often");
}

}  // namespace softprompt
