// A file opened for reading at given offsets: no shared position, no memory map that a truncated file could fault.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/platform/file.h"

namespace softprompt {

class ReadFile {
 public:
  // Throws Error FILE_NOT_FOUND or FILE_READ, naming the path.
  explicit ReadFile(std::string path);
  // What such a file would hold, from memory; `name` stands for the path.
  ReadFile(std::string name, std::string bytes);

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  // All of [offset, offset + n), or Error FILE_READ (the file shrank, or the disk failed).
  void read(uint64_t offset, void* to, size_t n) const;
  std::string text(uint64_t offset, size_t n) const;

 private:
  std::string path_;
  std::string memory_;  // where no file is open
  platform::File file_;
  uint64_t size_ = 0;
};

using platform::isFile;
using platform::isFolder;

// The whole of a file of at most `limit` bytes; Error FILE_READ when it is longer.
std::string readText(const std::string& path, uint64_t limit = 64 << 20);

}  // namespace softprompt
