// A file that appears whole or not at all: written beside its place under a name of its own, synced, renamed, and the
// folder synced.
#pragma once

#include <cstddef>
#include <string>

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
  // For writers that need a name; what they wrote is renamed by commit().
  const std::string& temporaryPath() const { return temporary_; }

 private:
  [[noreturn]] void fail(const char* doing) const;

  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

}  // namespace softprompt
