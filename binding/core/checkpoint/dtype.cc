#include "core/checkpoint/dtype.h"

#include <algorithm>
#include <array>

namespace softprompt {
namespace {

constexpr std::array<Dtype, 15> kDtypes{{{"F64", 8, "torch.DoubleStorage", true},
                                         {"F32", 4, "torch.FloatStorage", true},
                                         {"BF16", 2, "torch.BFloat16Storage", true},
                                         {"F16", 2, "torch.HalfStorage", true},
                                         {"I64", 8, "torch.LongStorage", true},
                                         {"I32", 4, "torch.IntStorage", true},
                                         {"I16", 2, "torch.ShortStorage", true},
                                         {"I8", 1, "torch.CharStorage", true},
                                         {"U8", 1, "torch.ByteStorage", true},
                                         {"BOOL", 1, "torch.BoolStorage", true},
                                         {"U64", 8, "", false},
                                         {"U32", 4, "", false},
                                         {"U16", 2, "", false},
                                         {"F8_E4M3", 1, "", false},
                                         {"F8_E5M2", 1, "", false}}};

template <typename Matches>
const Dtype* find(Matches matches) {
  const auto row = std::find_if(kDtypes.begin(), kDtypes.end(), matches);
  return row == kDtypes.end() ? nullptr : &*row;
}

}  // namespace

const Dtype* findDtype(std::string_view name) {
  return find([&](const Dtype& row) { return name == row.name; });
}

const Dtype* findStorage(std::string_view storage) {
  if (storage.empty()) return nullptr;
  return find([&](const Dtype& row) { return storage == row.storage; });
}

}  // namespace softprompt
