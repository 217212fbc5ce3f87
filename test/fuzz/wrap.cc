#include "wrap.h"

#include <cstdint>

namespace fuzz {
namespace {

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

uint32_t crc32(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? 0xEDB88320 ^ crc >> 1 : crc >> 1;
  }
  return ~crc;
}

// What the local header and the directory have in common.
void putShared(std::string& out, std::string_view name, std::string_view data) {
  put(out, 0, 2);  // version
  put(out, 0, 2);  // flags
  put(out, 0, 2);  // stored
  put(out, 0, 4);  // date
  put(out, crc32(data), 4);
  put(out, data.size(), 4);
  put(out, data.size(), 4);
  put(out, name.size(), 2);
  put(out, 0, 2);  // extra
}

class Zip {
 public:
  void add(std::string_view name, std::string_view data) {
    const size_t at = out_.size();
    put(out_, 0x04034b50, 4);
    putShared(out_, name, data);
    out_ += name;
    out_ += data;
    put(directory_, 0x02014b50, 4);
    put(directory_, 0, 2);  // made by
    putShared(directory_, name, data);
    put(directory_, 0, 4);  // comment, volume
    put(directory_, 0, 6);  // attributes
    put(directory_, at, 4);
    directory_ += name;
    ++entries_;
  }
  std::string finish() {
    const size_t at = out_.size();
    out_ += directory_;
    put(out_, 0x06054b50, 4);
    put(out_, 0, 4);
    put(out_, entries_, 2);
    put(out_, entries_, 2);
    put(out_, directory_.size(), 4);
    put(out_, at, 4);
    put(out_, 0, 2);
    return out_;
  }

 private:
  std::string out_, directory_;
  size_t entries_ = 0;
};

}  // namespace

std::string archiveOf(std::string_view pickle, bool isModule) {
  const std::string storage(64, '\1');
  Zip zip;
  zip.add("a/data.pkl", pickle);
  zip.add("a/data/0", storage);
  zip.add("a/data/1", storage);
  if (isModule) zip.add("a/constants.pkl", "\x80\x02).");
  return zip.finish();
}

}  // namespace fuzz
