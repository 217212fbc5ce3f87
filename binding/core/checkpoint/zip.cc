#include "core/checkpoint/zip.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/checkpoint/json.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kLocator64 = 0x07064b50;
constexpr uint64_t kMaxEntries = 65'536, kMaxDirectory = 8 << 20, kMaxText = 16 << 20;
constexpr uint16_t kStoredMethod = 0, kDeflatedMethod = 8;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // "see the zip64 field"

// Whom an error is about: the file, and what it was taken for.
struct Subject {
  const std::string& path;
  const char* code;
};

[[noreturn]] void invalid(const Subject& file, const std::string& what) {
  throw Error(file.code, file.path + " is damaged or no PyTorch archive: " + what);
}

// For messages: a hostile name may be long and is perhaps no text.
std::string shown(const std::string& name) {
  return name.size() <= 100 && isUtf8(name) ? name : "of an unreasonable name";
}

// Little-endian fields of a piece of the file; reading past its end is an error.
class Fields {
 public:
  Fields(std::string_view bytes, const Subject& subject) : bytes_(bytes), subject_(subject) {}

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
    if (size > bytes_.size()) invalid(subject_, "a record of its directory is cut short");
    const std::string_view out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return out;
  }
  bool isAtEnd() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  const Subject& subject_;
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
Directory readEnd64(const ReadFile& file, const Subject& subject, uint64_t locatorAt) {
  const std::string locatorBytes = file.text(locatorAt, 20);
  Fields locator(locatorBytes, subject);
  if (locator.u32() != kLocator64 || locator.u32() != 0) invalid(subject, "its zip64 locator is missing");
  const uint64_t at = locator.u64();
  if (locator.u32() != 1) invalid(subject, "it spans several volumes");
  if (at > locatorAt || locatorAt - at != 56) invalid(subject, "its zip64 directory is out of place");
  const std::string endBytes = file.text(at, 56);
  Fields end(endBytes, subject);
  if (end.u32() != kEnd64 || end.u64() != 44) invalid(subject, "its zip64 directory is damaged");
  end.take(4);  // versions
  if (end.u32() != 0 || end.u32() != 0) invalid(subject, "it spans several volumes");
  Directory out;
  out.entries = end.u64();
  if (end.u64() != out.entries) invalid(subject, "it spans several volumes");
  out.bytes = end.u64();
  out.offset = end.u64();
  if (out.offset > at || at - out.offset != out.bytes) invalid(subject, "its directory is out of place");
  return out;
}

// The end record is the file's last 22 bytes: PyTorch writes no comment.
Directory readEnd(const ReadFile& file, const Subject& subject) {
  if (file.size() < 22) invalid(subject, "it is too short");
  const uint64_t at = file.size() - 22;
  const std::string bytes = file.text(at, 22);
  Fields end(bytes, subject);
  if (end.u32() != kEnd) invalid(subject, "it does not end as a zip archive; it may be cut short");
  if (end.u16() != 0 || end.u16() != 0) invalid(subject, "it spans several volumes");
  Directory out;
  out.entries = end.u16();
  if (end.u16() != out.entries) invalid(subject, "it spans several volumes");
  out.bytes = end.u32();
  out.offset = end.u32();
  if (end.u16() != 0) invalid(subject, "it carries a comment");
  if (out.entries == 0xFFFF || out.bytes == kIn64 || out.offset == kIn64) {
    if (at < 76) invalid(subject, "its zip64 directory is missing");
    return readEnd64(file, subject, at - 20);
  }
  // Writers may add the zip64 records even where nothing needs them.
  const bool direct = out.offset <= at && at - out.offset == out.bytes;
  const bool before64 = at >= 76 && out.offset <= at - 76 && at - 76 - out.offset == out.bytes;
  if (!direct && !before64) invalid(subject, "its directory is out of place");
  return out;
}

// The zip64 extra field holds, in this order, whichever of the three did not fit.
void readExtra64(std::string_view extra, const Subject& subject, uint64_t& size, uint64_t& packed, uint64_t& local) {
  Fields fields(extra, subject);
  while (!fields.isAtEnd()) {
    const uint16_t kind = fields.u16();
    Fields field(fields.take(fields.u16()), subject);
    if (kind != 1) continue;
    if (size == kIn64) size = field.u64();
    if (packed == kIn64) packed = field.u64();
    if (local == kIn64) local = field.u64();
    return;
  }
}

ZipEntry readCentral(Fields& directory, const Subject& subject) {
  if (directory.u32() != kCentral) invalid(subject, "its directory is damaged");
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
  readExtra64(directory.take(extraLength), subject, size, entry.bytes, local);
  directory.take(commentLength);
  constexpr uint16_t kAllowedFlags = 1 << 3 | 1 << 11;  // sizes also after the data; UTF-8 names
  entry.isStored = method == kStoredMethod;
  if ((!entry.isStored && method != kDeflatedMethod) || (entry.isStored && size != entry.bytes) ||
      (flags & ~kAllowedFlags) != 0) {
    invalid(subject, "the entry " + shown(entry.name) + " is encrypted or packed in an unknown way");
  }
  if (volume != 0) invalid(subject, "it spans several volumes");
  entry.offset = local;  // of the local header, until readLocal
  return entry;
}

// Checks the local header against the directory, moves `offset` to the entry's bytes and gives the header's place.
uint64_t readLocal(const ReadFile& file, const Subject& subject, uint64_t directoryAt, ZipEntry& entry) {
  const uint64_t headerAt = entry.offset;
  if (directoryAt < 30 || entry.offset > directoryAt - 30)
    invalid(subject, "the entry " + shown(entry.name) + " lies outside of it");
  const std::string bytes = file.text(entry.offset, 30);
  Fields header(bytes, subject);
  if (header.u32() != kLocal) invalid(subject, "the entry " + shown(entry.name) + " is damaged");
  header.take(4);
  if (header.u16() != (entry.isStored ? kStoredMethod : kDeflatedMethod)) {
    invalid(subject, "the entry " + shown(entry.name) + " contradicts the directory");
  }
  header.take(16);
  const uint64_t nameLength = header.u16(), extraLength = header.u16();
  const uint64_t start = entry.offset + 30 + nameLength + extraLength;
  if (start > directoryAt || entry.bytes > directoryAt - start || nameLength != entry.name.size() ||
      file.text(entry.offset + 30, nameLength) != entry.name) {
    invalid(subject, "the entry " + shown(entry.name) + " contradicts the directory");
  }
  entry.offset = start;
  return headerAt;
}

}  // namespace

ZipFile::ZipFile(std::shared_ptr<const ReadFile> file, const char* errorCode)
    : file_(std::move(file)), errorCode_(errorCode) {
  const Subject subject{file_->path(), errorCode_};
  const Directory end = readEnd(*file_, subject);
  if (end.entries > kMaxEntries || end.bytes > kMaxDirectory) invalid(subject, "its directory is too large");
  const std::string bytes = file_->text(end.offset, end.bytes);
  Fields directory(bytes, subject);
  std::vector<std::pair<uint64_t, uint64_t>> extents;  // from a local header to the end of its data
  for (uint64_t i = 0; i < end.entries; ++i) {
    ZipEntry entry = readCentral(directory, subject);
    const uint64_t headerAt = readLocal(*file_, subject, end.offset, entry);
    extents.emplace_back(headerAt, entry.offset + entry.bytes);
    if (!index_.emplace(entry.name, entries_.size()).second) {
      invalid(subject, "the entry " + shown(entry.name) + " is there twice");
    }
    entries_.push_back(std::move(entry));
  }
  if (!directory.isAtEnd()) invalid(subject, "its directory is damaged");
  std::sort(extents.begin(), extents.end());
  if (!extents.empty() && extents[0].first != 0) invalid(subject, "something stands before its first entry");
  for (size_t i = 1; i < extents.size(); ++i) {
    if (extents[i - 1].second > extents[i].first) invalid(subject, "two entries overlap");
  }
}

const ZipEntry* ZipFile::find(const std::string& name) const {
  const auto entry = index_.find(name);
  return entry == index_.end() ? nullptr : &entries_[entry->second];
}

void ZipFile::fail(const std::string& what) const {
  invalid({path(), errorCode_}, what);
}

std::string ZipFile::raw(const ZipEntry& entry) const {
  if (entry.bytes > kMaxText) fail("the entry " + shown(entry.name) + " is too large");
  return file_->text(entry.offset, entry.bytes);
}

std::string ZipFile::text(const ZipEntry& entry) const {
  if (!entry.isStored) fail("the entry " + shown(entry.name) + " is compressed");
  std::string out = raw(entry);
  if (crc32(out) != entry.crc) fail("the checksum of the entry " + shown(entry.name) + " is wrong");
  return out;
}

}  // namespace softprompt
