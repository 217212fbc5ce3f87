#include "core/platform/memory.h"

#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace softprompt::platform {

void wantHugePages([[maybe_unused]] void* begin, [[maybe_unused]] size_t bytes) {
#if defined(__linux__)
  constexpr uintptr_t kHuge = 1 << 21;
  const auto start = reinterpret_cast<uintptr_t>(begin);
  const uintptr_t from = (start + kHuge - 1) / kHuge * kHuge, to = (start + bytes) / kHuge * kHuge;
  if (from < to) madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
#endif
}

}  // namespace softprompt::platform
