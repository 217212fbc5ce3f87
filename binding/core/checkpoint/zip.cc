#include "core/checkpoint/zip.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "core/runtime/error.h"

namespace softprompt {
namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kLocator64 = 0x07064b50;
constexpr uint64_t kMaxEntries = 1'000'000, kMaxDirectory = 256 << 20, kMaxText = 256 << 20;
constexpr uint16_t kStoredMethod = 0, kDeflatedMethod = 8;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // "see the zip64 field"

[[noreturn]] void invalid(const std::string& path, const std::string& what) {
  throw Error("TORCHSCRIPT_INVALID", path + " is damaged or no PyTorch archive: " + what);
}

// Little-endian fields of a piece of the file; reading past its end is an error.
class Fields {
 public:
  Fields(std::string_view bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  uint64_t number(size_t size) {
    const std::string_view raw = take(size);
    uint64_t out = 0;
    for (size_t i = size; i-- > 0;) out = out << 8 | static_cast<unsigned char>(raw[i]);
    return out;
  }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }
  std::string_view take(size_t size) {
    if (size > bytes_.size()) invalid(path_, "a record of its directory is cut short");
    const std::string_view out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return out;
  }
  bool isAtEnd() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  const std::string& path_;
};

struct Directory {
  uint64_t entries = 0, bytes = 0, offset = 0;
};

uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> out{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = c & 1 ? 0xEDB88320 ^ c >> 1 : c >> 1;
      out[i] = c;
    }
    return out;
  }();
  uint32_t crc = 0xFFFFFFFF;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<unsigned char>(byte)) & 255] ^ crc >> 8;
  return ~crc;
}

// The zip64 end record, which the locator just before the plain one points to.
Directory readEnd64(const ReadFile& file, uint64_t locatorAt) {
  const std::string& path = file.path();
  const std::string locatorBytes = file.text(locatorAt, 20);
  Fields locator(locatorBytes, path);
  if (locator.u32() != kLocator64 || locator.u32() != 0) invalid(path, "its zip64 locator is missing");
  const uint64_t at = locator.u64();
  if (locator.u32() != 1) invalid(path, "it spans several volumes");
  if (at > locatorAt || locatorAt - at != 56) invalid(path, "its zip64 directory is out of place");
  const std::string endBytes = file.text(at, 56);
  Fields end(endBytes, path);
  if (end.u32() != kEnd64 || end.u64() != 44) invalid(path, "its zip64 directory is damaged");
  end.take(4);  // versions
  if (end.u32() != 0 || end.u32() != 0) invalid(path, "it spans several volumes");
  Directory out;
  out.entries = end.u64();
  if (end.u64() != out.entries) invalid(path, "it spans several volumes");
  out.bytes = end.u64();
  out.offset = end.u64();
  if (out.offset > at || at - out.offset != out.bytes) invalid(path, "its directory is out of place");
  return out;
}

// The end record is the file's last 22 bytes: PyTorch writes no comment.
Directory readEnd(const ReadFile& file) {
  const std::string& path = file.path();
  if (file.size() < 22) invalid(path, "it is too short");
  const uint64_t at = file.size() - 22;
  const std::string bytes = file.text(at, 22);
  Fields end(bytes, path);
  if (end.u32() != kEnd) invalid(path, "it does not end as a zip archive; it may be cut short");
  if (end.u16() != 0 || end.u16() != 0) invalid(path, "it spans several volumes");
  Directory out;
  out.entries = end.u16();
  if (end.u16() != out.entries) invalid(path, "it spans several volumes");
  out.bytes = end.u32();
  out.offset = end.u32();
  if (end.u16() != 0) invalid(path, "it carries a comment");
  if (out.entries == 0xFFFF || out.bytes == kIn64 || out.offset == kIn64) {
    if (at < 76) invalid(path, "its zip64 directory is missing");
    return readEnd64(file, at - 20);
  }
  // Writers may add the zip64 records even where nothing needs them.
  const bool direct = out.offset <= at && at - out.offset == out.bytes;
  const bool before64 = at >= 76 && out.offset <= at - 76 && at - 76 - out.offset == out.bytes;
  if (!direct && !before64) invalid(path, "its directory is out of place");
  return out;
}

// The zip64 extra field holds, in this order, whichever of the three did not fit.
void readExtra64(std::string_view extra, const std::string& path, uint64_t& size, uint64_t& packed, uint64_t& local) {
  Fields fields(extra, path);
  while (!fields.isAtEnd()) {
    const uint16_t kind = fields.u16();
    Fields field(fields.take(fields.u16()), path);
    if (kind != 1) continue;
    if (size == kIn64) size = field.u64();
    if (packed == kIn64) packed = field.u64();
    if (local == kIn64) local = field.u64();
    return;
  }
}

ZipEntry readCentral(Fields& directory, const std::string& path) {
  if (directory.u32() != kCentral) invalid(path, "its directory is damaged");
  directory.take(4);  // versions
  const uint16_t flags = directory.u16(), method = directory.u16();
  directory.take(4);  // date
  ZipEntry entry;
  entry.crc = directory.u32();
  entry.bytes = directory.u32();
  uint64_t size = directory.u32();
  const uint16_t nameLength = directory.u16(), extraLength = directory.u16(), commentLength = directory.u16();
  const uint16_t volume = directory.u16();
  directory.take(6);  // attributes
  uint64_t local = directory.u32();
  entry.name = directory.take(nameLength);
  readExtra64(directory.take(extraLength), path, size, entry.bytes, local);
  directory.take(commentLength);
  constexpr uint16_t kAllowedFlags = 1 << 3 | 1 << 11;  // sizes also after the data; UTF-8 names
  entry.isStored = method == kStoredMethod;
  if ((!entry.isStored && method != kDeflatedMethod) || (entry.isStored && size != entry.bytes) ||
      (flags & ~kAllowedFlags) != 0) {
    invalid(path, "the entry " + entry.name + " is encrypted or packed in an unknown way");
  }
  if (volume != 0) invalid(path, "it spans several volumes");
  entry.offset = local;  // of the local header, until readLocal
  return entry;
}

// Checks the local header against the directory and moves `offset` to the entry's bytes.
void readLocal(const ReadFile& file, uint64_t directoryAt, ZipEntry& entry) {
  const std::string& path = file.path();
  if (directoryAt < 30 || entry.offset > directoryAt - 30)
    invalid(path, "the entry " + entry.name + " lies outside of it");
  const std::string bytes = file.text(entry.offset, 30);
  Fields header(bytes, path);
  if (header.u32() != kLocal) invalid(path, "the entry " + entry.name + " is damaged");
  header.take(4);
  if (header.u16() != (entry.isStored ? kStoredMethod : kDeflatedMethod)) {
    invalid(path, "the entry " + entry.name + " contradicts the directory");
  }
  header.take(16);
  const uint64_t nameLength = header.u16(), extraLength = header.u16();
  const uint64_t start = entry.offset + 30 + nameLength + extraLength;
  if (start > directoryAt || entry.bytes > directoryAt - start || nameLength != entry.name.size() ||
      file.text(entry.offset + 30, nameLength) != entry.name) {
    invalid(path, "the entry " + entry.name + " contradicts the directory");
  }
  entry.offset = start;
}

}  // namespace

ZipFile::ZipFile(std::shared_ptr<const ReadFile> file) : file_(std::move(file)) {
  const std::string& path = file_->path();
  const Directory end = readEnd(*file_);
  if (end.entries > kMaxEntries || end.bytes > kMaxDirectory) invalid(path, "its directory is too large");
  const std::string bytes = file_->text(end.offset, end.bytes);
  Fields directory(bytes, path);
  std::set<std::string> names;
  for (uint64_t i = 0; i < end.entries; ++i) {
    ZipEntry entry = readCentral(directory, path);
    readLocal(*file_, end.offset, entry);
    if (!names.insert(entry.name).second) invalid(path, "the entry " + entry.name + " is there twice");
    entries_.push_back(std::move(entry));
  }
  if (!directory.isAtEnd()) invalid(path, "its directory is damaged");
  std::sort(entries_.begin(), entries_.end(), [](const ZipEntry& a, const ZipEntry& b) { return a.offset < b.offset; });
  for (size_t i = 1; i < entries_.size(); ++i) {
    if (entries_[i - 1].offset + entries_[i - 1].bytes > entries_[i].offset) invalid(path, "two entries overlap");
  }
}

const ZipEntry* ZipFile::find(const std::string& name) const {
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const ZipEntry& e) { return e.name == name; });
  return entry == entries_.end() ? nullptr : &*entry;
}

std::string ZipFile::raw(const ZipEntry& entry) const {
  if (entry.bytes > kMaxText) invalid(path(), "the entry " + entry.name + " is too large");
  return file_->text(entry.offset, entry.bytes);
}

std::string ZipFile::text(const ZipEntry& entry) const {
  if (!entry.isStored) invalid(path(), "the entry " + entry.name + " is compressed");
  std::string out = raw(entry);
  if (crc32(out) != entry.crc) invalid(path(), "the checksum of the entry " + entry.name + " is wrong");
  return out;
}

void ZipFile::read(const ZipEntry& entry, uint64_t offset, void* to, uint64_t bytes) const {
  if (!entry.isStored) invalid(path(), "the entry " + entry.name + " is compressed");
  if (offset > entry.bytes || bytes > entry.bytes - offset)
    invalid(path(), "the entry " + entry.name + " is too short");
  file_->read(entry.offset + offset, to, bytes);
}

}  // namespace softprompt
