// Runs a target on files, without a fuzzer: fuzz_replay TARGET FILE-OR-FOLDER ... Without arguments it lists the targets.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "target.h"

namespace {

void replay(fuzz::Body body, const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  try {
    fuzz::run(body, bytes);
  } catch (const std::exception& error) {
    std::printf("FAIL %s: %s\n", path.string().c_str(), error.what());
    throw;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    for (const auto& [name, body] : fuzz::targets()) std::printf("%s\n", name.c_str());
    return 0;
  }
  const fuzz::Body body = fuzz::targets().at(argv[1]);
  size_t files = 0;
  for (int i = 2; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      replay(body, argv[i]);
      ++files;
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      replay(body, entry.path());
      ++files;
    }
  }
  std::printf("%s: %zu files\n", argv[1], files);
  return 0;
}
