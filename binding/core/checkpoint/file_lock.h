// A file that one run at a time may write: held by this process until the lock goes, and let go by the system however
// the process ends.
#pragma once

#include <string>

#include "core/platform/file.h"

namespace softprompt {

class FileLock {
 public:
  // Locks `path` by a file beside it, path + ".lock", and removes what killed processes left of their writing. Throws
  // Error CHECKPOINT_LOCKED where another run holds it (of this process or another), FILE_WRITE where there can be
  // none.
  explicit FileLock(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::string lockPath_;
  platform::File file_;
};

}  // namespace softprompt
