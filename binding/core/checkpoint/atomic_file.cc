#include "core/checkpoint/atomic_file.h"

#include <atomic>

#include "core/runtime/error.h"

namespace softprompt {
namespace {

// Unique in this process by the counter, among processes by the id; create() guards against what is left.
std::string temporaryName(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  return AtomicFile::temporaryPrefix(path) + std::to_string(platform::processId()) + "-" + std::to_string(counter++);
}

}  // namespace

std::string AtomicFile::temporaryPrefix(const std::string& path) {
  return path + ".tmp-";
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)), temporary_(temporaryName(path_)) {
  // A rename would put a plain file in the place of a device, a pipe or a folder.
  if (platform::isSpecial(path_)) {
    throw Error("FILE_WRITE", path_ + " exists and is no regular file: name another file");
  }
  if (!file_.create(temporary_)) fail("be created");
}

AtomicFile::~AtomicFile() {
  if (isInPlace_) return;
  file_.close();
  platform::remove(temporary_);
}

void AtomicFile::write(const void* bytes, size_t n) {
  if (!file_.write(bytes, n)) fail("be written");
}

void AtomicFile::commit() {
  if (!file_.sync()) fail("be synced");
  file_.close();
  if (!platform::replace(temporary_, path_)) fail("be put in place");
  isInPlace_ = true;
  platform::syncFolderOf(path_);
}

void AtomicFile::fail(const char* doing) const {
  throw Error("FILE_WRITE", path_ + " cannot " + doing + ": " + platform::lastFailure().reason);
}

}  // namespace softprompt
