#include "core/checkpoint/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/runtime/error.h"

namespace softprompt {
namespace {

std::string folderOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Unique in this process by the counter, among processes by the id; O_EXCL guards against what is left.
std::string temporaryName(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  return AtomicFile::temporaryPrefix(path) + std::to_string(::getpid()) + "-" + std::to_string(counter++);
}

// A rename would put a plain file in the place of a device, a pipe or a folder.
void refuseSpecialFile(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) {
    throw Error("FILE_WRITE", path + " exists and is no regular file: name another file");
  }
}

}  // namespace

std::string AtomicFile::temporaryPrefix(const std::string& path) {
  return path + ".tmp-";
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)), temporary_(temporaryName(path_)) {
  refuseSpecialFile(path_);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("be created");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* bytes, size_t n) {
  constexpr size_t kLargestWrite = 1 << 30;
  const char* at = static_cast<const char*>(bytes);
  while (n > 0) {
    const ssize_t put = ::write(descriptor_, at, std::min(n, kLargestWrite));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) fail("be written");
    at += put;
    n -= static_cast<size_t>(put);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail("be synced");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("be put in place");
  ::close(descriptor_);
  descriptor_ = -1;
  // The rename is kept through a power cut only once the folder is synced; some file systems cannot, which is no error.
  const int folder = ::open(folderOf(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
}

void AtomicFile::fail(const char* doing) const {
  throw Error("FILE_WRITE", path_ + " cannot " + doing + ": " + std::strerror(errno));
}

}  // namespace softprompt
