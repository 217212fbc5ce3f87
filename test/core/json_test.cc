#include "core/checkpoint/json.h"

#include "check.h"

using softprompt::Json;
using softprompt::JsonSyntax;
using softprompt::parseJson;

namespace {

bool isRefused(const std::string& text) {
  try {
    parseJson(text);
  } catch (const JsonSyntax&) {
    return true;
  }
  return false;
}

}  // namespace

TEST(jsonValues) {
  const Json json = parseJson(R"( {"a": [1, -2.5e3, true, null], "b": {"c": "x\n\u00e9\ud83d\ude00"}, "": 0} )");
  CHECK_EQ((*json.find("a")->array())[0].integer()[0], 1);
  CHECK_EQ((*json.find("a")->array())[1].real()[0], -2500.0);
  CHECK((*json.find("a")->array())[2].boolean()[0]);
  CHECK((*json.find("a")->array())[3].isNull());
  CHECK_EQ(*json.find("b")->find("c")->string(), "x\n\xC3\xA9\xF0\x9F\x98\x80");
  CHECK(json.find("missing") == nullptr);
  CHECK(parseJson("[]").array()->empty() && parseJson("{}").object()->empty());
}

TEST(jsonIntegersAreExact) {
  CHECK_EQ(*parseJson("9223372036854775807").integer(), INT64_MAX);
  CHECK_EQ(*parseJson("-9223372036854775808").integer(), INT64_MIN);
  CHECK_EQ(*parseJson("9007199254740993").integer(), 9007199254740993);
  CHECK(!parseJson("9223372036854775808").integer() && parseJson("9223372036854775808").real());
  CHECK(!parseJson("1.0").integer() && !parseJson("1e2").integer());
}

TEST(jsonRefusals) {
  for (const char* text : {"",
                           "{",
                           "[1,]",
                           "{\"a\":1,}",
                           "{\"a\":1 \"b\":2}",
                           "{a:1}",
                           "01",
                           "-",
                           "1.",
                           "1e",
                           ".5",
                           "+1",
                           "nul",
                           "truee",
                           "[1] 2",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\t\"",
                           "\"abc",
                           "NaN",
                           "Infinity",
                           "1e999",
                           "{\"a\":1,\"a\":1}",
                           "{\"k\":{\"a\":1,\"\\u0061\":2}}",
                           "\"\xC0\xAF\"",
                           "\"\xED\xA0\x80\"",
                           "\"\xF5\x80\x80\x80\"",
                           "\"\xFF\"",
                           "\"\xE2\x82\""}) {
    if (!isRefused(text)) check::fail(__FILE__, __LINE__, std::string("accepted: ") + text);
  }
  CHECK(isRefused(std::string(100000, '[')));
  CHECK(isRefused(std::string("[1\0]", 4)));
}

TEST(jsonQuotedComesBack) {
  const std::string text = std::string("a\"b\\c\n\x01") + "\xC3\xA9";
  const auto json = parseJson(softprompt::jsonQuoted(text));
  CHECK_EQ(*json.string(), text);
}
