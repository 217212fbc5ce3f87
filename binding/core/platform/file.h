// The operating system's files, and the one place where POSIX and Windows differ in them: file_posix.cc or
// file_windows.cc is built. Paths are UTF-8. Nothing here throws; after a failure, lastFailure() tells of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/platform/path.h"

namespace softprompt::platform {

struct Failure {
  bool isMissing;      // there is no such file
  std::string reason;  // the system's words
};
// Of this thread's last call that failed, asked before any other call.
Failure lastFailure();

enum class Lock { held, busy, failed };

// An open file, closed with the object.
class File {
 public:
  File() = default;
  ~File() { close(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool openToRead(const std::string& path);
  // A new file, to be written; fails where there is one.
  bool create(const std::string& path);
  // A file to be read and written, made where it is missing. Held: nobody else gets it so, in this process or another,
  // until it is closed, by the end of the process at the latest. Busy: somebody has it.
  Lock openLocked(const std::string& path);

  bool isOpen() const;
  bool isPlain() const;  // no folder, device or pipe
  uint64_t size() const;
  // Reads up to n bytes at an offset, without moving a position: how many, 0 at the end, -1 for a failure.
  int64_t readAt(uint64_t offset, void* to, size_t n) const;
  bool write(const void* from, size_t n);  // all of them, at the end of what was written
  bool sync();                             // to the disk
  void close();

 private:
  intptr_t handle_ = -1;
};

bool isFile(const std::string& path);  // a plain one
bool isFolder(const std::string& path);
bool isSpecial(const std::string& path);  // there is something that is no plain file
bool remove(const std::string& path);
// Renames a closed file, over the one that is there, in one step.
bool replace(const std::string& from, const std::string& to);
// Makes a rename in the folder of `path` outlive a power cut, where the file system can.
void syncFolderOf(const std::string& path);
unsigned long processId();

}  // namespace softprompt::platform
