// A sound archive around a pickle that is not.
#pragma once

#include <string>
#include <string_view>

namespace fuzz {

// With `pickle` as its data.pkl, storages data/0 and data/1 of 64 bytes, and a module's constants where asked for.
std::string archiveOf(std::string_view pickle, bool isModule);

}  // namespace fuzz
