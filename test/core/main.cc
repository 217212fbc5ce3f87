// Runs every TEST of this folder (or those whose name holds argv[1]); the last line is "core: N passed, N failed".
#include <cstdio>
#include <cstring>

#include "check.h"

namespace check {
std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
}  // namespace check

int main(int argc, char** argv) {
  int passed = 0, failed = 0;
  for (const check::Test& test : check::tests()) {
    if (argc > 1 && !std::strstr(test.name.c_str(), argv[1])) continue;
    try {
      test.body();
      ++passed;
      std::printf("ok   %s\n", test.name.c_str());
    } catch (const softprompt::Error& e) {
      ++failed;
      std::printf("FAIL %s\n     %s: %s\n", test.name.c_str(), e.code().c_str(), e.what());
    } catch (const std::exception& e) {
      ++failed;
      std::printf("FAIL %s\n     %s\n", test.name.c_str(), e.what());
    }
    std::fflush(stdout);
  }
  std::printf("core: %d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
