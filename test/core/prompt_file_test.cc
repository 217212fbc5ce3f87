#include "core/prompt/file.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#ifndef _WIN32
#include <sys/stat.h>
#endif

#include <limits>

#include "check.h"
#include "core/checkpoint/inspect.h"
#include "core/checkpoint/safetensors.h"
#include "temp_folder.h"

using softprompt::loadPrompt;
using softprompt::savePrompt;
using softprompt::SoftPrompt;

namespace {

at::Tensor rows() {
  return at::arange(12, at::kFloat).view({3, 4}) * 0.37;
}

// A .npy file with the given header fields and data.
std::string npy(const std::string& header, const std::string& data, char version = 1) {
  std::string out("\x93NUMPY", 6);
  out += {version, '\0', static_cast<char>(header.size()), '\0'};
  if (version > 1) out += std::string(2, '\0');
  return out + header + data;
}

}  // namespace

TEST(promptFileRoundTrips) {
  const TempFolder folder;
  const SoftPrompt prompt{rows(), {{"task", "reviews \xC3\xA9"}, {"fingerprint", "00ff"}}};
  savePrompt(prompt, folder.file("a.safetensors"), "safetensors");
  const SoftPrompt back = loadPrompt(folder.file("a.safetensors"));
  CHECK(at::equal(back.rows, prompt.rows));
  CHECK(back.metadata == prompt.metadata);
  savePrompt(prompt, folder.file("a.npy"), "npy");
  CHECK(at::equal(loadPrompt(folder.file("a.npy")).rows, prompt.rows));
  CHECK_EQ(folder.count(), 2u);
  CHECK_EQ(softprompt::inspectFile(folder.file("a.safetensors")).kind, "prompt");
  CHECK((softprompt::inspectFile(folder.file("a.npy")).tensors[0].shape == std::vector<int64_t>{3, 4}));
  std::filesystem::rename(folder.file("a.npy"), folder.file("b.safetensors"));  // content decides, not the name
  CHECK(at::equal(loadPrompt(folder.file("b.safetensors")).rows, prompt.rows));
  CHECK_THROWS(savePrompt(prompt, folder.file("x"), "pickle"), "OPTION_INVALID");
  CHECK_THROWS(savePrompt(prompt, folder.file("no/x"), "npy"), "FILE_WRITE");
}

#ifndef _WIN32
TEST(promptFileLeavesDevicesAndPipesAlone) {
  const TempFolder folder;
  CHECK_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  CHECK_THROWS(savePrompt({rows(), {}}, folder.file("pipe"), "safetensors"), "FILE_WRITE");
  CHECK(std::filesystem::is_fifo(folder.file("pipe")));
  CHECK_EQ(folder.count(), 1u);
}
#endif

TEST(promptFileNpyKinds) {
  const TempFolder folder;
  const std::string shape = "'fortran_order': False, 'shape': (1, 2), }";
  const double doubles[] = {1.5, -2.25};
  const std::string eight(reinterpret_cast<const char*>(doubles), 16);
  const auto code = [&](const std::string& bytes) {
    try {
      loadPrompt(folder.write("p.npy", bytes));
    } catch (const softprompt::Error& e) {
      return e.code();
    }
    return std::string();
  };
  CHECK_EQ(code(npy("{'descr': '<f8', " + shape, eight)), "");
  CHECK_EQ(loadPrompt(folder.file("p.npy")).rows[0][1].item<float>(), -2.25f);
  CHECK_EQ(code(npy("{'descr': '<f8', " + shape, eight, 2)), "");
  const std::string bad[] = {npy("{'descr': '>f8', " + shape, eight),
                             npy("{'descr': '<i8', " + shape, eight),
                             npy("{'descr': '|O', " + shape, eight),
                             npy("{'descr': '<f4', " + shape, eight),
                             npy("{'descr': '<f8', 'fortran_order': True, 'shape': (1, 2), }", eight),
                             npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", eight),
                             npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2, 1), }", eight),
                             npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, -2), }", eight),
                             npy("{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 4), }", ""),
                             npy("{'descr': '<f8', 'shape': (1, 2), }", eight),
                             npy("{'descr': '<f8', " + shape + "x", eight),
                             npy("", ""),
                             npy("{'descr': '<f8', " + shape, eight, 9)};
  for (const std::string& bytes : bad) CHECK_EQ(code(bytes), "PROMPT_FILE_INVALID");
}

TEST(promptFileRefusals) {
  const TempFolder folder;
  CHECK_THROWS(loadPrompt(folder.file("absent")), "PROMPT_FILE_NOT_FOUND");
  for (const char* text : {"", "x", "hello, this is no prompt at all", "PK\3\4zipzipzip"}) {
    CHECK_THROWS(loadPrompt(folder.write("g", text)), "PROMPT_FILE_INVALID");
  }
  const auto saved = [&](const std::string& name, const at::Tensor& tensor) {
    softprompt::writeSafetensors(folder.file("t"), {{name, tensor}}, {});
    return folder.file("t");
  };
  CHECK_THROWS(loadPrompt(saved("other", rows())), "PROMPT_FILE_INVALID");
  CHECK_THROWS(loadPrompt(saved("prompt", rows()[0])), "PROMPT_FILE_INVALID");
  CHECK_THROWS(loadPrompt(saved("prompt", at::zeros({0, 4}))), "PROMPT_FILE_INVALID");
  CHECK_THROWS(loadPrompt(saved("prompt", rows().to(at::kLong))), "PROMPT_FILE_INVALID");
  at::Tensor bad = rows();
  bad[1][2] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS(loadPrompt(saved("prompt", bad)), "PROMPT_NOT_FINITE");
  CHECK(at::equal(loadPrompt(saved("prompt", rows().to(at::kBFloat16))).rows, rows().to(at::kBFloat16).to(at::kFloat)));
  for (const char* format : {"safetensors", "npy"}) {
    savePrompt({rows(), {{"k", "v"}}}, folder.file("w"), format);
    const std::string whole = bytesOf(folder.file("w"));
    for (size_t n = 0; n < whole.size(); ++n) {
      CHECK_THROWS(loadPrompt(folder.write("c", whole.substr(0, n))), "PROMPT_FILE_INVALID");
    }
  }
}
