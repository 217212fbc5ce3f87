#include "core/checkpoint/json.h"

#include <charconv>
#include <cmath>
#include <unordered_set>

namespace softprompt {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxValues = 200'000;  // a checkpoint of 20,000 tensors has fewer; it bounds what a text can allocate

// Length of the UTF-8 sequence that starts at text[i], 0 if there is no valid one (overlong forms and surrogates are
// not).
size_t utf8Length(std::string_view text, size_t i) {
  const auto byte = [&](size_t k) -> unsigned {
    return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0;
  };
  const auto isTail = [&](size_t k) { return (byte(k) & 0xC0) == 0x80; };
  const unsigned a = byte(0), b = byte(1);
  if (a < 0x80) return 1;
  if (a >= 0xC2 && a <= 0xDF) return isTail(1) ? 2 : 0;
  if (a >= 0xE0 && a <= 0xEF) {
    const bool inRange = !(a == 0xE0 && b < 0xA0) && !(a == 0xED && b > 0x9F);
    return isTail(1) && isTail(2) && inRange ? 3 : 0;
  }
  if (a >= 0xF0 && a <= 0xF4) {
    const bool inRange = !(a == 0xF0 && b < 0x90) && !(a == 0xF4 && b > 0x8F);
    return isTail(1) && isTail(2) && isTail(3) && inRange ? 4 : 0;
  }
  return 0;
}

void appendUtf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Json document() {
    Json json = value(0);
    skipSpace();
    if (at_ != text_.size()) fail("text after the end of the value");
    return json;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw JsonSyntax(what + " at byte " + std::to_string(at_)); }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skipSpace() {
    while (at_ < text_.size() && (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t')) ++at_;
  }

  bool take(char c) {
    skipSpace();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!take(c)) fail(std::string("expected '") + c + "'");
  }

  Json word(std::string_view word, Json::Value value) {
    if (text_.substr(at_, word.size()) != word) fail("not a JSON value");
    at_ += word.size();
    return Json(std::move(value));
  }

  Json value(int depth) {
    if (depth > kMaxDepth) fail("nested too deeply");
    if (++values_ > kMaxValues) fail("too many values");
    skipSpace();
    switch (peek()) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return Json(Json::Value(string()));
      case 't':
        return word("true", true);
      case 'f':
        return word("false", false);
      case 'n':
        return word("null", nullptr);
      default:
        return number();
    }
  }

  Json object(int depth) {
    Json::Object members;
    std::unordered_set<std::string> seen;
    expect('{');
    if (take('}')) return Json(Json::Value(std::move(members)));
    do {
      skipSpace();
      if (peek() != '"') fail("expected a key");
      std::string key = string();
      if (!seen.insert(key).second) fail("the key " + jsonQuoted(key) + " stands twice");
      expect(':');
      Json member = value(depth + 1);
      members.emplace_back(std::move(key), std::move(member));
    } while (take(','));
    expect('}');
    return Json(Json::Value(std::move(members)));
  }

  Json array(int depth) {
    Json::Array items;
    expect('[');
    if (take(']')) return Json(Json::Value(std::move(items)));
    do {
      items.push_back(value(depth + 1));
    } while (take(','));
    expect(']');
    return Json(Json::Value(std::move(items)));
  }

  uint32_t hex4() {
    uint32_t code = 0;
    const std::string_view digits = text_.substr(at_, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (error != std::errc() || digits.size() != 4 || end != digits.data() + 4) fail("bad \\u escape");
    at_ += 4;
    return code;
  }

  void escape(std::string& out) {
    const char c = peek();
    ++at_;
    static constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    if (const size_t i = kFrom.find(c); c != '\0' && i != std::string_view::npos) {
      out += kTo[i];
      return;
    }
    if (c != 'u') fail("bad escape");
    uint32_t code = hex4();
    if (code >= 0xDC00 && code <= 0xDFFF) fail("lone surrogate");
    if (code >= 0xD800 && code <= 0xDBFF) {
      if (text_.substr(at_, 2) != "\\u") fail("lone surrogate");
      at_ += 2;
      const uint32_t low = hex4();
      if (low < 0xDC00 || low > 0xDFFF) fail("lone surrogate");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    appendUtf8(out, code);
  }

  std::string string() {
    std::string out;
    ++at_;  // the opening quote
    while (true) {
      if (at_ >= text_.size()) fail("unterminated string");
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '\\') {
        ++at_;
        escape(out);
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20) fail("control character in a string");
      const size_t length = utf8Length(text_, at_);
      if (length == 0) fail("invalid UTF-8");
      out.append(text_, at_, length);
      at_ += length;
    }
  }

  size_t digits() {
    const size_t start = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ - start;
  }

  Json number() {
    const size_t start = at_;
    if (peek() == '-') ++at_;
    const bool leadingZero = peek() == '0';
    const size_t whole = digits();
    if (whole == 0) fail("not a JSON value");
    if (leadingZero && whole > 1) fail("a number with a leading zero");
    bool isInteger = true;
    if (peek() == '.') {
      isInteger = false;
      ++at_;
      if (digits() == 0) fail("a number without digits after the point");
    }
    if (peek() == 'e' || peek() == 'E') {
      isInteger = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (digits() == 0) fail("a number without digits in its exponent");
    }
    const char *first = text_.data() + start, *last = text_.data() + at_;
    int64_t integer = 0;
    if (isInteger && std::from_chars(first, last, integer).ec == std::errc()) return Json(Json::Value(integer));
    double real = 0;
    if (std::from_chars(first, last, real).ec != std::errc() || !std::isfinite(real)) fail("a number out of range");
    return Json(Json::Value(real));
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t values_ = 0;
};

}  // namespace

const Json* Json::find(std::string_view key) const {
  if (const Object* members = object()) {
    for (const auto& [name, member] : *members) {
      if (name == key) return &member;
    }
  }
  return nullptr;
}

Json parseJson(std::string_view text) {
  return Parser(text).document();
}

std::string jsonQuoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

bool isUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8Length(text, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

}  // namespace softprompt
