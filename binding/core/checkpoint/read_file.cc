#include "core/checkpoint/read_file.h"

#include <cstring>

#include "core/runtime/error.h"

namespace softprompt {

ReadFile::ReadFile(std::string path) : path_(std::move(path)) {
  if (!file_.openToRead(path_)) {
    const platform::Failure failure = platform::lastFailure();
    if (isFolder(path_)) throw Error("FILE_READ", path_ + " is not a plain file");  // Windows opens no folder
    throw Error(failure.isMissing ? "FILE_NOT_FOUND" : "FILE_READ", path_ + " cannot be opened: " + failure.reason);
  }
  if (!file_.isPlain()) throw Error("FILE_READ", path_ + " is not a plain file");
  size_ = file_.size();
}

ReadFile::ReadFile(std::string name, std::string bytes)
    : path_(std::move(name)), memory_(std::move(bytes)), size_(memory_.size()) {}

void ReadFile::read(uint64_t offset, void* to, size_t n) const {
  if (offset > size_ || n > size_ - offset) throw Error("FILE_READ", path_ + " is shorter than what is read of it");
  if (!file_.isOpen()) {
    std::memcpy(to, memory_.data() + offset, n);
    return;
  }
  char* at = static_cast<char*>(to);
  while (n > 0) {
    const int64_t got = file_.readAt(offset, at, n);
    if (got <= 0) {
      const std::string reason = got == 0 ? "it became shorter" : platform::lastFailure().reason;
      throw Error("FILE_READ", path_ + " cannot be read: " + reason);
    }
    at += got;
    offset += static_cast<uint64_t>(got);
    n -= static_cast<size_t>(got);
  }
}

std::string ReadFile::text(uint64_t offset, size_t n) const {
  std::string out(n, '\0');
  read(offset, out.data(), n);
  return out;
}

std::string readText(const std::string& path, uint64_t limit) {
  const ReadFile file(path);
  if (file.size() > limit) throw Error("FILE_READ", path + " is too large to be a text file of this kind");
  return file.text(0, file.size());
}

}  // namespace softprompt
