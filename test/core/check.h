// A very small test frame for core: TEST(name) { CHECK(...); } in any file of this folder; main.cc runs them all.
#pragma once

#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/runtime/error.h"

namespace check {

struct Test {
  std::string name;
  std::function<void()> body;
};
std::vector<Test>& tests();
struct Register {
  Register(std::string name, std::function<void()> body) { tests().push_back({std::move(name), std::move(body)}); }
};
[[noreturn]] inline void fail(const char* file, int line, const std::string& what) {
  throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

}  // namespace check

#define TEST(name)                                             \
  static void test_##name();                                   \
  static check::Register register_##name(#name, &test_##name); \
  static void test_##name()

#undef CHECK  // LibTorch's logging may have one
#define CHECK(condition)                                           \
  do {                                                             \
    if (!(condition)) check::fail(__FILE__, __LINE__, #condition); \
  } while (0)

#define CHECK_EQ(a, b)                                                     \
  do {                                                                     \
    const auto& check_a = (a);                                             \
    const auto& check_b = (b);                                             \
    if (!(check_a == check_b)) {                                           \
      std::ostringstream check_s;                                          \
      check_s << #a " = " << check_a << ", expected " #b " = " << check_b; \
      check::fail(__FILE__, __LINE__, check_s.str());                      \
    }                                                                      \
  } while (0)

// |a - b| <= tolerance * max(1, max|b|), both tensors.
#define CHECK_CLOSE(a, b, tolerance)                                                                          \
  do {                                                                                                        \
    const at::Tensor check_a = (a).detach().to(at::kDouble), check_b = (b).detach().to(at::kDouble);          \
    if (!check_a.sizes().equals(check_b.sizes())) check::fail(__FILE__, __LINE__, #a ": another shape");      \
    const double check_d = check_a.sub(check_b).abs().max().item<double>();                                   \
    const double check_m = std::max(1.0, check_b.abs().max().item<double>());                                 \
    if (!(check_d <= (tolerance)*check_m))                                                                    \
      check::fail(__FILE__, __LINE__, #a " differs by " + std::to_string(check_d / check_m) + " (relative)"); \
  } while (0)

#define CHECK_THROWS(expression, expectedCode)                                                             \
  do {                                                                                                     \
    std::string check_code = "nothing";                                                                    \
    try {                                                                                                  \
      (void)(expression);                                                                                  \
    } catch (const softprompt::Error& e) {                                                                 \
      check_code = e.code();                                                                               \
    }                                                                                                      \
    if (check_code != (expectedCode)) check::fail(__FILE__, __LINE__, #expression " threw " + check_code); \
  } while (0)
