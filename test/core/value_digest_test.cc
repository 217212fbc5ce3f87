#include "core/t5/value_digest.h"

#include <algorithm>
#include <vector>

#include "check.h"

using namespace softprompt;

namespace {

std::vector<float> numbers(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i % 977) * 0.37f - 100;
  return values;
}

// In pieces of `piece` numbers.
std::string digestOf(const std::vector<float>& values, size_t piece) {
  ValueDigest digest;
  for (size_t i = 0; i < values.size(); i += piece) digest.update(&values[i], std::min(piece, values.size() - i));
  return digest.hex();
}

}  // namespace

TEST(valueDigestIsTheSameInAnyPieces) {
  for (const size_t n : {0, 1, 511, 1024, 1025, 5000}) {
    const auto values = numbers(n);
    const std::string whole = digestOf(values, std::max<size_t>(n, 1));
    CHECK_EQ(whole.size(), size_t{64});
    for (const size_t piece : {1, 7, 1000, 1024, 3000}) CHECK_EQ(digestOf(values, piece), whole);
  }
}

TEST(valueDigestSeesEveryNumberItsPlaceAndTheEnd) {
  const auto values = numbers(2500);
  const std::string whole = digestOf(values, 2500);
  for (size_t i = 0; i < values.size(); ++i) {
    auto changed = values;
    changed[i] += 1;
    CHECK(digestOf(changed, 2500) != whole);
  }
  auto swapped = values;
  std::swap(swapped[3], swapped[3 + ValueDigest::kBlock / 2]);
  CHECK(digestOf(swapped, 2500) != whole);
  swapped = values;
  std::swap_ranges(swapped.begin(), swapped.begin() + 1024, swapped.begin() + 1024);
  CHECK(digestOf(swapped, 2500) != whole);
  auto longer = values;
  longer.push_back(0);
  CHECK(digestOf(longer, 2501) != whole);
  longer.back() = -0.0f;
  CHECK(digestOf(longer, 2501) != digestOf(
                                      [&] {
                                        auto z = values;
                                        z.push_back(0);
                                        return z;
                                      }(),
                                      2501));
}

// The same on every machine and in every version: prompts on disk name it.
TEST(valueDigestStays) {
  CHECK_EQ(digestOf(numbers(3000), 3000), "6fc5724641f291ec07a4872fb10684853e1fdb488b4354c11f0de7a9a626c59e");
}
