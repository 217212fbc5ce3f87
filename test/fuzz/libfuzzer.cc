// libFuzzer's two functions. SOFTPROMPT_FUZZ_TARGET names the target.
#include <cstdlib>
#include <stdexcept>

#include "target.h"

namespace {

fuzz::Body chosen() {
  const char* name = std::getenv("SOFTPROMPT_FUZZ_TARGET");
  return fuzz::targets().at(name ? name : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const fuzz::Body body = chosen();
  fuzz::run(body, {reinterpret_cast<const char*>(bytes), size});
  return 0;
}
