#include "core/checkpoint/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/runtime/error.h"

namespace softprompt {

ReadFile::ReadFile(std::string path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) {
    throw Error(errno == ENOENT || errno == ENOTDIR ? "FILE_NOT_FOUND" : "FILE_READ",
                path_ + " cannot be opened: " + std::strerror(errno));
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw Error("FILE_READ", path_ + " is not a plain file");
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

ReadFile::ReadFile(std::string name, std::string bytes)
    : path_(std::move(name)), memory_(std::move(bytes)), size_(memory_.size()) {}

ReadFile::~ReadFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ReadFile::read(uint64_t offset, void* to, size_t n) const {
  constexpr size_t kLargestRead = 1 << 30;  // Linux reads at most 2 GiB at once
  if (offset > size_ || n > size_ - offset) throw Error("FILE_READ", path_ + " is shorter than what is read of it");
  if (descriptor_ < 0) {
    std::memcpy(to, memory_.data() + offset, n);
    return;
  }
  char* at = static_cast<char*>(to);
  while (n > 0) {
    const ssize_t got = ::pread(descriptor_, at, std::min(n, kLargestRead), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      throw Error("FILE_READ", path_ + " cannot be read: " + (got == 0 ? "it became shorter" : std::strerror(errno)));
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

bool isFile(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

bool isFolder(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::string readText(const std::string& path, uint64_t limit) {
  const ReadFile file(path);
  if (file.size() > limit) throw Error("FILE_READ", path + " is too large to be a text file of this kind");
  return file.text(0, file.size());
}

}  // namespace softprompt
