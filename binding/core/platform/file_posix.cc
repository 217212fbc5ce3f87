#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/platform/file.h"

namespace softprompt::platform {
namespace {

constexpr size_t kMostAtOnce = 1 << 30;  // Linux moves at most 2 GiB in a call, macOS less

// A handle is a descriptor.
int descriptorOf(intptr_t handle) {
  return static_cast<int>(handle);
}

bool statusOf(const std::string& path, struct stat& status) {
  return ::stat(path.c_str(), &status) == 0;
}

// Whether the open file is still the one at `path`: who held the lock before may have removed it.
bool isAt(int descriptor, const std::string& path) {
  struct stat open {
  }, there{};
  return ::fstat(descriptor, &open) == 0 && statusOf(path, there) && open.st_ino == there.st_ino &&
         open.st_dev == there.st_dev;
}

}  // namespace

Failure lastFailure() {
  const int code = errno;
  return {code == ENOENT || code == ENOTDIR, std::strerror(code)};
}

bool File::openToRead(const std::string& path) {
  close();
  handle_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  return isOpen();
}

bool File::create(const std::string& path) {
  close();
  handle_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  return isOpen();
}

Lock File::openLocked(const std::string& path) {
  while (true) {
    close();
    handle_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (!isOpen()) return Lock::failed;
    if (::flock(descriptorOf(handle_), LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK ? Lock::busy : Lock::failed;
    if (isAt(descriptorOf(handle_), path)) return Lock::held;
  }
}

bool File::isOpen() const {
  return handle_ >= 0;
}

bool File::isPlain() const {
  struct stat status {};
  return ::fstat(descriptorOf(handle_), &status) == 0 && S_ISREG(status.st_mode);
}

uint64_t File::size() const {
  struct stat status {};
  return ::fstat(descriptorOf(handle_), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

int64_t File::readAt(uint64_t offset, void* to, size_t n) const {
  ssize_t got = 0;
  do {
    got = ::pread(descriptorOf(handle_), to, std::min(n, kMostAtOnce), static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  return got;
}

bool File::write(const void* from, size_t n) {
  for (const char* at = static_cast<const char*>(from); n > 0;) {
    const ssize_t put = ::write(descriptorOf(handle_), at, std::min(n, kMostAtOnce));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    at += put;
    n -= static_cast<size_t>(put);
  }
  return true;
}

bool File::sync() {
#if defined(__APPLE__)
  if (::fcntl(descriptorOf(handle_), F_FULLFSYNC) == 0) return true;  // fsync stops at the drive's cache there
#endif
  return ::fsync(descriptorOf(handle_)) == 0;
}

void File::close() {
  if (!isOpen()) return;
  const int failure = errno;  // who asks for the last failure means the one before
  ::close(descriptorOf(handle_));
  errno = failure;
  handle_ = -1;
}

bool isFile(const std::string& path) {
  struct stat status {};
  return statusOf(path, status) && S_ISREG(status.st_mode);
}

bool isFolder(const std::string& path) {
  struct stat status {};
  return statusOf(path, status) && S_ISDIR(status.st_mode);
}

bool isSpecial(const std::string& path) {
  struct stat status {};
  return statusOf(path, status) && !S_ISREG(status.st_mode);
}

bool remove(const std::string& path) {
  return ::unlink(path.c_str()) == 0;
}

bool replace(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str()) == 0;
}

void syncFolderOf(const std::string& path) {
  const std::string parent = toPath(path).parent_path().string();
  const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  ::fsync(folder);
  ::close(folder);
}

unsigned long processId() {
  return static_cast<unsigned long>(::getpid());
}

}  // namespace softprompt::platform
