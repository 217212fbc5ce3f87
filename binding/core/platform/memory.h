// What the operating system is asked about memory.
#pragma once

#include <cstddef>

namespace softprompt::platform {

// Memory that has never been written costs a page fault every 4 KB; with huge pages, one every 2 MB. Advice: it may be
// refused, and only Linux takes it.
void wantHugePages(void* begin, size_t bytes);

}  // namespace softprompt::platform
