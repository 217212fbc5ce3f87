// What this process's LibTorch is and can do.
#pragma once

#include <string>

namespace softprompt {

struct LibTorch {
  std::string version;
  std::string cpuCapability;  // as LibTorch names it: DEFAULT, AVX2, AVX512 ...
  bool cuda = false;          // a CUDA device answers
  bool bfloat16 = false;      // the processor multiplies bfloat16 natively
  int threads = 0;            // of a parallel region where no one asks for another number
};
LibTorch libtorch();

}  // namespace softprompt
