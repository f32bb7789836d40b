#include "registry/json_document.h"

#include <gtest/gtest.h>

namespace funcd::registry {
namespace {

std::string compact(std::string_view text) {
  JsonDocument document;
  const Result<> parsed = document.parse(text);
  if (!parsed) return "error: " + parsed.error().message;
  std::string out;
  append_json(out, document.root());
  return out;
}

TEST(JsonDocument, KeepsOrderEqualKeysAndDigits) {
  EXPECT_EQ(compact(" {\"b\" : 1.50 ,\n\"a\":[ ], \"b\": -0, \"c\":{}, \"d\":1E400}\r\n\t"),
            R"({"b":1.50,"a":[],"b":-0,"c":{},"d":1E400})");
  const std::string digits(5000, '7');
  EXPECT_EQ(compact(digits), digits);
  EXPECT_EQ(compact("[" + digits + "]"), "[" + digits + "]");
  EXPECT_EQ(compact("[true,false,null,\"\",{\"\":0}]"), "[true,false,null,\"\",{\"\":0}]");
}

TEST(JsonDocument, StringsAreDecodedAndEscapedOnlyWhereTheyMust) {
  EXPECT_EQ(compact(R"("\u00e9\ud83d\ude00\/\u007f\u0000\u001f\b\f\n\r\t\"\\")"),
            "\"\xC3\xA9\xF0\x9F\x98\x80/\x7F\\u0000\\u001f\\b\\f\\n\\r\\t\\\"\\\\\"");
  EXPECT_EQ(compact(R"({"n\u0061me":"x\u0041y"})"), R"({"name":"xAy"})");
  std::string many = "[\"\\n\"";
  for (int i = 0; i < 1000; ++i) many += ",\"a\\tb\\u0041\",\"plain\"";
  many += "]";
  std::string expected = "[\"\\n\"";
  for (int i = 0; i < 1000; ++i) expected += ",\"a\\tbA\",\"plain\"";
  expected += "]";
  EXPECT_EQ(compact(many), expected);
}

TEST(JsonDocument, RefusesWhatIsNoJson) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[1,]",
                           "{\"a\":1,}",
                           "01",
                           "1.",
                           ".5",
                           "+1",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "'a'",
                           "{a:1}",
                           "\"\x1F\"",
                           "\"a\nb\"",
                           "\"\\x41\"",
                           "\"\xFF\"",
                           "\"\xED\xA0\x80\"",

                           "\xEF\xBB\xBF{}",
                           "{} x",
                           "[1]]",
                           "\f1",
                           "nul",
                           "\"a",
                           "1e",
                           "/**/1"}) {
    EXPECT_FALSE(is_json(text)) << text;
    EXPECT_TRUE(compact(text).starts_with("error: not JSON at byte ")) << text << compact(text);
  }
  EXPECT_FALSE(is_json(std::string_view("{}\0", 3)));
  EXPECT_EQ(compact("{} x"), "error: not JSON at byte 3: text after the value");
}

TEST(JsonDocument, AcceptsHalvesOfSurrogatePairsAndTells) {
  JsonDocument document;
  for (const char* text : {R"("\ud800")", R"(["\udc00\ud800"])", R"({"a\uDBFF":"\\\ud800\u0041"})",
                           R"("\ud83d\ude00\ude00")"}) {
    EXPECT_TRUE(is_json(text)) << text;
    EXPECT_TRUE(document.parse(text)) << text;
    EXPECT_TRUE(document.has_lone_surrogates()) << text;
  }
  for (const char* text : {R"("\ud83d\ude00")", R"("\\ud800")", "\"\uFDD0\""}) {
    EXPECT_TRUE(document.parse(text)) << text;
    EXPECT_FALSE(document.has_lone_surrogates()) << text;
  }
  for (const char* text : {R"("\ud800)", R"("\ud800" x)", R"(\ud800)", R"("\ud800\")", R"("\ud80")",
                           R"("\ud800\u")"}) {
    EXPECT_FALSE(is_json(text)) << text;
    EXPECT_FALSE(document.parse(text)) << text;
  }
}

TEST(JsonDocument, AcceptsNumbersOfAnySize) {
  for (const std::string& text :
       {std::string(5000, '1'), std::string("1e400"), "0." + std::string(5000, '3'),
        std::string("-18446744073709551617"), std::string("1e-400"), std::string("-0.0")}) {
    EXPECT_TRUE(is_json(text)) << text;
    EXPECT_EQ(compact(text), text);
  }
}

TEST(JsonDocument, DepthIsBounded) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(is_json(nested(kJsonDepthMax)));
  EXPECT_EQ(compact(nested(kJsonDepthMax)), nested(kJsonDepthMax));
  EXPECT_FALSE(is_json(nested(kJsonDepthMax + 1)));
  EXPECT_NE(compact(nested(kJsonDepthMax + 1)), nested(kJsonDepthMax + 1));
  EXPECT_FALSE(is_json(std::string(1'000'000, '[')));
}

TEST(JsonDocument, NumberOfValuesIsBounded) {
  std::string text = "[0";
  for (std::size_t i = 0; i < kJsonNodesMax; ++i) text += ",0";
  text += "]";
  EXPECT_EQ(compact(text), "error: JSON with more than 8000000 values is not taken apart");
  EXPECT_TRUE(is_json(text));
}

TEST(JsonDocument, IsUsedAgain) {
  JsonDocument document;
  EXPECT_TRUE(document.parse("{\"a\":\"\\n\"}"));
  EXPECT_FALSE(document.parse("{\"a\":[[[\"\\n\""));
  document.shrink();
  const std::string longer = "[\"" + std::string(9000, 'x') + "\\n\"]";
  ASSERT_TRUE(document.parse(longer));
  EXPECT_EQ(document.root().begin()->text(), std::string(9000, 'x') + "\n");
}

TEST(JsonDocument, FindsTheLastOfEqualKeys) {
  JsonDocument document;
  const std::string text = R"({"a":1,"b":{"a":7},"a":2})";
  ASSERT_TRUE(document.parse(text));
  ASSERT_NE(document.root().find("a"), nullptr);
  EXPECT_EQ(document.root().find("a")->text(), "2");
  EXPECT_EQ(document.root().find("c"), nullptr);
  EXPECT_EQ(document.root().find("b")->find("a")->text(), "7");
  EXPECT_EQ(document.root().find("a")->find("a"), nullptr);
}

TEST(JsonDocument, TrimTakesTheSpaceOfJsonOnly) {
  EXPECT_EQ(trim_json_space(" \t\r\n a b \n"), "a b");
  EXPECT_EQ(trim_json_space("\f1\v"), "\f1\v");
  EXPECT_EQ(trim_json_space("  "), "");
}

}  // namespace
}  // namespace funcd::registry
