// Reading and writing safetensors; files that are wrong in every way we could think of.
#include "core/checkpoint/safetensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>

#include "check.h"
#include "temp_folder.h"

using softprompt::Error;
using softprompt::SafetensorsFile;

namespace {

std::string withHeader(const std::string& header, const std::string& data = "") {
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(header.size() >> (8 * i));
  return out + header + data;
}

// "" when it opens and every tensor is read, else the code; anything but an Error escapes.
std::string codeOf(const std::string& path) {
  try {
    const SafetensorsFile file(path);
    for (const auto& info : file.tensors()) file.read(info.name);
  } catch (const Error& e) {
    return e.code();
  }
  return "";
}

}  // namespace

TEST(safetensorsRoundTrip) {
  const TempFolder folder;
  const softprompt::NamedTensors tensors{{"a", at::arange(6, at::kFloat).view({2, 3})},
                                         {"b \"q\"", at::arange(5, at::kLong)},
                                         {"half", at::arange(4, at::kFloat).to(at::kBFloat16)},
                                         {"empty", at::zeros({0, 7})},
                                         {"scalar", at::scalar_tensor(3.5)},
                                         {"strided", at::arange(6, at::kFloat).view({2, 3}).t()},
                                         {"flags", at::arange(3, at::kLong) > 1}};
  softprompt::writeSafetensors(folder.file("x"), tensors, {{"k", "v\n\"w\""}, {"format", "pt"}});
  CHECK_EQ(folder.count(), 1u);
  const SafetensorsFile file(folder.file("x"));
  CHECK_EQ(file.metadata().at("k"), "v\n\"w\"");
  CHECK_EQ(file.tensors().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) CHECK(at::equal(file.read(name), tensor));
}

TEST(safetensorsRefusals) {
  const TempFolder folder;
  const std::string four(4, 'x'), eight(8, 'x');
  const auto code = [&](const std::string& bytes) { return codeOf(folder.write("f", bytes)); };
  const auto entry = [](const std::string& fields) { return "{\"a\":{" + fields + "}}"; };
  const std::string good = "\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]";
  CHECK_EQ(code(withHeader(entry(good), four)), "");
  CHECK_EQ(code(withHeader("{}")), "");
  const std::pair<std::string, std::string> invalid[] = {
      {entry(good), eight},                                                                       // bytes after the end
      {entry("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]"), eight},                   // a hole
      {"{\"a\":{" + good + "},\"b\":{" + good + "}}", four},                                      // an overlap
      {entry("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]"), four},                    // size, shape
      {entry("\"dtype\":\"F32\",\"shape\":[4611686018427387904,8],\"data_offsets\":[0,0]"), ""},  // overflow to 0
      {entry("\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]"), four},
      {entry("\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]"), four},
      {entry("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]"), four},
      {entry("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]"), four},
      {entry("\"dtype\":\"F99\",\"shape\":[1],\"data_offsets\":[0,4]"), four},
      {entry("\"shape\":[1],\"data_offsets\":[0,4]"), four},
      {entry(good + ",\"extra\":1"), four},
      {"{\"a\":{" + good + "},\"a\":{" + good + "}}", four},  // a key twice
      {"{\"__metadata__\":{\"n\":1}}", ""},
      {"{\"__metadata__\":[]}", ""},
      {"[]", ""},
      {"{\"a\":5}", ""},
      {"nonsense", ""},
      {"{\"\xFF\":1}", ""},
  };
  for (const auto& [header, data] : invalid) {
    const std::string found = code(withHeader(header, data));
    if (found != "SAFETENSORS_INVALID") check::fail(__FILE__, __LINE__, header + " gave '" + found + "'");
  }
  CHECK_EQ(code(""), "SAFETENSORS_TRUNCATED");
  CHECK_EQ(code(std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10)), "SAFETENSORS_INVALID");
  CHECK_EQ(codeOf(folder.file("absent")), "FILE_NOT_FOUND");
  CHECK_EQ(codeOf(folder.path()), "FILE_READ");
}

TEST(safetensorsEveryTruncationAndBitFlip) {
  const TempFolder folder;
  softprompt::writeSafetensors(folder.file("x"), {{"a", at::arange(3, at::kFloat)}, {"b", at::arange(2, at::kLong)}},
                               {{"k", "v"}});
  const std::string whole = bytesOf(folder.file("x"));
  for (size_t n = 0; n < whole.size(); ++n) {
    const std::string code = codeOf(folder.write("y", whole.substr(0, n)));
    if (code != "SAFETENSORS_TRUNCATED") check::fail(__FILE__, __LINE__, std::to_string(n) + " bytes gave " + code);
  }
  int refused = 0;
  const size_t headerBits = 8 * (whole.size() - 28);  // the tensors' own 28 bytes may hold anything
  for (size_t bit = 0; bit < headerBits; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    refused += !codeOf(folder.write("y", flipped)).empty();
  }
  CHECK(refused > static_cast<int>(headerBits / 2));
}

TEST(safetensorsWriteFailsCleanly) {
  const TempFolder folder;
  CHECK_THROWS(softprompt::writeSafetensors(folder.file("no/such/folder"), {{"a", at::zeros({1})}}, {}), "FILE_WRITE");
  std::filesystem::create_directory(folder.file("taken"));
  CHECK_THROWS(softprompt::writeSafetensors(folder.file("taken"), {{"a", at::zeros({1})}}, {}), "FILE_WRITE");
  CHECK_EQ(folder.count(), 1u);  // nothing left beside
}
