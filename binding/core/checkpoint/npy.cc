#include "core/checkpoint/npy.h"

#include <charconv>
#include <string_view>

#include "core/checkpoint/json.h"
#include "core/checkpoint/read_file.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr const char* kTensor = "prompt";

[[noreturn]] void invalid(const std::string& path, const std::string& what) {
  throw Error("PROMPT_FILE_INVALID", path + " cannot be read as a .npy prompt: " + what);
}

struct Header {
  std::string descr;
  bool fortranOrder = false;
  int64_t rows = 0, columns = 0;
};

// The header is the text of a Python dict with exactly descr, fortran_order and shape.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  Header parse() {
    Header header;
    int seen = 0;
    expect('{');
    while (!take('}')) {
      const std::string key = quoted();
      expect(':');
      seen += field(key, header);
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skipSpace();
    if (!text_.empty() || seen != 0b111) invalid(path_, "its header is not that of one array");
    return header;
  }

 private:
  int field(const std::string& key, Header& header) {
    if (key == "descr") {
      header.descr = quoted();
      return 1;
    }
    if (key == "fortran_order") {
      header.fortranOrder = truth();
      return 2;
    }
    if (key != "shape") invalid(path_, "its header has the unknown field " + key.substr(0, 40));
    expect('(');
    header.rows = size();
    expect(',');
    if (take(')')) invalid(path_, "it has one dimension; a prompt has two");
    header.columns = size();
    take(',');
    if (!take(')')) invalid(path_, "it has more than two dimensions");
    return 4;
  }

  void skipSpace() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) text_.remove_prefix(1);
  }
  bool take(char c) {
    skipSpace();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!take(c)) invalid(path_, "its header is damaged");
  }
  std::string quoted() {
    expect('\'');
    const size_t end = text_.find('\'');
    if (end == std::string_view::npos) invalid(path_, "its header is damaged");
    const std::string out(text_.substr(0, end));
    if (!isUtf8(out)) invalid(path_, "its header is damaged");
    text_.remove_prefix(end + 1);
    return out;
  }
  bool truth() {
    skipSpace();
    for (const auto& [word, value] : {std::pair{std::string_view("True"), true}, {std::string_view("False"), false}}) {
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(word.size());
      return value;
    }
    invalid(path_, "its header is damaged");
  }
  int64_t size() {
    skipSpace();
    int64_t out = -1;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), out);
    if (error != std::errc() || out < 0) invalid(path_, "its shape is damaged");
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    return out;
  }

  std::string_view text_;
  const std::string& path_;
};

struct Layout {
  Header header;
  uint64_t dataStart = 0;
};

Layout readLayout(const ReadFile& file) {
  const std::string& path = file.path();
  if (file.size() < 12) invalid(path, "it is cut short");
  const std::string start = file.text(0, 12);
  const auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<unsigned char>(start[i])); };
  if (!looksLikeNpy(start)) invalid(path, "it does not start as one");
  if (byte(6) < 1 || byte(6) > 3) invalid(path, "its version " + std::to_string(byte(6)) + " is unknown");
  const bool isShort = byte(6) == 1;
  const uint64_t length = isShort ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  const uint64_t headerStart = isShort ? 10 : 12;
  if (length > 65536 || length > file.size() - headerStart) invalid(path, "its header is cut short or damaged");
  const std::string text = file.text(headerStart, length);
  return {HeaderParser(text, path).parse(), headerStart + length};
}

}  // namespace

bool looksLikeNpy(const std::string& firstBytes) {
  return firstBytes.starts_with(kMagic);
}

NpyFile::NpyFile(const std::string& path) : NpyFile(std::make_shared<ReadFile>(path)) {}

NpyFile::NpyFile(const std::shared_ptr<const ReadFile>& file) : TensorSource(file->path()) {
  const Layout layout = readLayout(*file);
  const Header& header = layout.header;
  const uint64_t dataStart = layout.dataStart;
  const bool isDouble = header.descr == "<f8";
  if (!isDouble && header.descr != "<f4") {
    invalid(path(), "its numbers are '" + header.descr.substr(0, 20) +
                        "'; little-endian float32 ('<f4') and float64 ('<f8') are read");
  }
  if (header.fortranOrder) invalid(path(), "it is in Fortran order; save it in C order");
  uint64_t bytes = isDouble ? 8 : 4;
  if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(header.rows), &bytes) ||
      __builtin_mul_overflow(bytes, static_cast<uint64_t>(header.columns), &bytes) ||
      bytes != file->size() - dataStart) {
    invalid(path(), "its length contradicts its shape");
  }
  if (bytes == 0) invalid(path(), "it holds no numbers");
  add({kTensor, isDouble ? "F64" : "F32", {header.rows, header.columns}, {file, dataStart, {}}});
}

}  // namespace softprompt
