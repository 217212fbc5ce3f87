#include "core/checkpoint/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/checkpoint/atomic_file.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

// Whether the open file is still the one at `path`: who held the lock before may have removed it.
bool isAt(int descriptor, const std::string& path) {
  struct stat open {
  }, there{};
  return ::fstat(descriptor, &open) == 0 && ::stat(path.c_str(), &there) == 0 && open.st_ino == there.st_ino &&
         open.st_dev == there.st_dev;
}

std::string holderOf(int descriptor) {
  char text[32] = {};
  const ssize_t got = ::pread(descriptor, text, sizeof text - 1, 0);
  return got > 0 ? " (process " + std::string(text) + ")" : "";
}

void removeTemporaries(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path full(path);
  const std::string prefix = AtomicFile::temporaryPrefix(full.filename().string());
  std::error_code ignored;
  for (const auto& entry :
       fs::directory_iterator(full.has_parent_path() ? full.parent_path() : fs::path("."), ignored)) {
    if (entry.path().filename().string().starts_with(prefix)) fs::remove(entry.path(), ignored);
  }
}

}  // namespace

FileLock::FileLock(const std::string& path) : lockPath_(path + ".lock") {
  while (true) {
    descriptor_ = ::open(lockPath_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) throw Error("FILE_WRITE", lockPath_ + " cannot be created: " + std::strerror(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      const std::string holder = holderOf(descriptor_);
      ::close(descriptor_);
      if (reason != EWOULDBLOCK) {
        throw Error("FILE_WRITE", lockPath_ + " cannot be locked: " + std::strerror(reason));
      }
      throw Error("CHECKPOINT_LOCKED", path + " is in use by another run" + holder +
                                           ": wait until that has ended, or give this one a file of its own");
    }
    if (isAt(descriptor_, lockPath_)) break;
    ::close(descriptor_);
  }
  const std::string own = std::to_string(::getpid());
  // For messages alone: a disk without room for it does not matter here.
  if (::ftruncate(descriptor_, 0) == 0) (void)!::pwrite(descriptor_, own.data(), own.size(), 0);
  removeTemporaries(path);
}

FileLock::~FileLock() {
  ::unlink(lockPath_.c_str());  // while it is held, so that nobody else's goes
  ::close(descriptor_);
}

}  // namespace softprompt
