#include "core/checkpoint/file_lock.h"

#include <filesystem>

#include "core/checkpoint/atomic_file.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

std::string holderOf(const std::string& lockPath) {
  platform::File file;
  char text[32] = {};
  if (!file.openToRead(lockPath) || file.readAt(0, text, sizeof text - 1) <= 0) return "";
  const std::string all(text);  // the number's line, then perhaps the end of a longer one that was there
  return " (process " + all.substr(0, all.find('\n')) + ")";
}

void removeTemporaries(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path full = platform::toPath(path);
  const std::string prefix = AtomicFile::temporaryPrefix(platform::toUtf8(full.filename()));
  std::error_code ignored;
  for (const auto& entry :
       fs::directory_iterator(full.has_parent_path() ? full.parent_path() : fs::path("."), ignored)) {
    if (platform::toUtf8(entry.path().filename()).starts_with(prefix)) fs::remove(entry.path(), ignored);
  }
}

}  // namespace

FileLock::FileLock(const std::string& path) : lockPath_(path + ".lock") {
  switch (file_.openLocked(lockPath_)) {
    case platform::Lock::failed:
      throw Error("FILE_WRITE", lockPath_ + " cannot be locked: " + platform::lastFailure().reason);
    case platform::Lock::busy:
      throw Error("CHECKPOINT_LOCKED", path + " is in use by another run" + holderOf(lockPath_) +
                                           ": wait until that has ended, or give this one a file of its own");
    case platform::Lock::held:
      break;
  }
  const std::string own = std::to_string(platform::processId()) + "\n";
  file_.write(own.data(), own.size());  // for messages alone: a disk without room for it does not matter here
  removeTemporaries(path);
}

FileLock::~FileLock() {
  platform::remove(lockPath_);  // while it is held, so that nobody else's goes
}

}  // namespace softprompt
