// A file that appears whole or not at all: written beside its place under a name of its own, synced, renamed, and the
// folder synced.
#pragma once

#include <cstddef>
#include <string>

#include "core/platform/file.h"

namespace softprompt {

class AtomicFile {
 public:
  // Opens the file beside `path`. Every failure is Error FILE_WRITE, naming the path and the system's reason.
  explicit AtomicFile(std::string path);
  ~AtomicFile();  // without commit: removes what was written
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // What the names begin with that are used beside `path`.
  static std::string temporaryPrefix(const std::string& path);

  void write(const void* bytes, size_t n);
  void commit();

 private:
  [[noreturn]] void fail(const char* doing) const;

  std::string path_;
  std::string temporary_;
  platform::File file_;
  bool isInPlace_ = false;
};

}  // namespace softprompt
