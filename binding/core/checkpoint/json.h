// A small strict JSON reader (RFC 8259): UTF-8 checked, depth limited, duplicate keys refused, integers kept exactly.
// LibTorch ships no JSON header, and common readers let the last of two equal keys win, which a safetensors header must
// not (docs/decisions).
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace softprompt {

// What is wrong, and where (byte offset). Callers turn it into an Error that names the file.
class JsonSyntax : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;  // in the file's order
  using Value = std::variant<std::nullptr_t, bool, int64_t, double, std::string, Array, Object>;

  Json() : value_(nullptr) {}
  explicit Json(Value value) : value_(std::move(value)) {}

  bool isNull() const { return std::holds_alternative<std::nullptr_t>(value_); }
  // The value if it has that kind, else null. A number without fraction or exponent that fits is an integer, any other
  // a double.
  const bool* boolean() const { return std::get_if<bool>(&value_); }
  const int64_t* integer() const { return std::get_if<int64_t>(&value_); }
  const double* real() const { return std::get_if<double>(&value_); }
  const std::string* string() const { return std::get_if<std::string>(&value_); }
  const Array* array() const { return std::get_if<Array>(&value_); }
  const Object* object() const { return std::get_if<Object>(&value_); }
  // The member of an object; null when there is none or this is no object.
  const Json* find(std::string_view key) const;

 private:
  Value value_;
};

// Throws JsonSyntax.
Json parseJson(std::string_view text);

// A JSON string literal, quotes included. `text` is UTF-8.
std::string jsonQuoted(std::string_view text);

bool isUtf8(std::string_view text);

}  // namespace softprompt
