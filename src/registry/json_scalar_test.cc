#include "registry/json_scalar.h"

#include <gtest/gtest.h>

namespace funcd::registry {
namespace {

constexpr std::string_view kRefused = "refused";

struct Row {
  std::string text;
  std::string json;
};

// Rows as pydantic 2 answers them for a model with `age: int`.
TEST(JsonScalar, TextPassesForAnIntegerAsInPydantic) {
  const std::string limit(kIntegerDigitsMax, '1');
  const std::vector<Row> rows = {
      {"20", "20"},
      {" 20 ", "20"},
      {"20.0", "20"},
      {"20.00", "20"},
      {"2_0", "20"},
      {"+20", "20"},
      {"-20", "-20"},
      {"020", "20"},
      {"00", "0"},
      {"-0", "0"},
      {"+0", "0"},
      {"-00", "0"},
      {"2_0.0", "20"},
      {"\u00a020", "20"},
      {"\n20\t", "20"},
      {"\u200320", "20"},
      {"0.0", "0"},
      {"-20.0", "-20"},
      {"+20.0", "20"},
      {"20.0 ", "20"},
      {"0_0", "0"},
      {"00020.0", "20"},
      {"20\u000b", "20"},
      {"20\u0085", "20"},
      {"20\u2028", "20"},
      {"20\u3000", "20"},
      {"9223372036854775808", "9223372036854775808"},
      {"-123456789012345678901234567890.0", "-123456789012345678901234567890"},
      {"1_23456789012345678901234567890", "123456789012345678901234567890"},
      {"000123456789012345678901234567890", "123456789012345678901234567890"},
      {limit, limit},
      {std::string(5000, '0') + "1", "1"}};
  for (const Row& row : rows) {
    std::string out;
    EXPECT_TRUE(append_integer_of_text(out, row.text)) << row.text;
    EXPECT_EQ(out, row.json) << row.text;
  }
  for (const std::string& text : {std::string("20.5"),
                                  std::string("2__0"),
                                  std::string("_20"),
                                  std::string("20_"),
                                  std::string("- 20"),
                                  std::string("--20"),
                                  std::string("+-20"),
                                  std::string("0x14"),
                                  std::string("1e3"),
                                  std::string("1E3"),
                                  std::string("20."),
                                  std::string(".0"),
                                  std::string("20.0_0"),
                                  std::string("\u0661"),
                                  std::string("２０"),
                                  std::string(""),
                                  std::string(" "),
                                  std::string("NaN"),
                                  std::string("inf"),
                                  std::string("true"),
                                  std::string("20 .0"),
                                  std::string("1__2.0"),
                                  std::string("-_1"),
                                  std::string("+_1"),
                                  std::string("1\0", 2),
                                  std::string("20\ufeff"),
                                  std::string("20\u180e"),
                                  std::string("20\u001c"),
                                  std::string("\u001f20"),
                                  std::string("20\u200b"),
                                  std::string("+"),
                                  std::string("-"),
                                  std::string("_"),
                                  std::string("."),
                                  limit + "1"}) {
    std::string out(kRefused);
    EXPECT_FALSE(append_integer_of_text(out, text)) << text;
    EXPECT_EQ(out, kRefused) << text;
  }
}

TEST(JsonScalar, NumberPassesForAnIntegerAsInPydantic) {
  const std::string limit(kIntegerDigitsMax, '1');
  const std::vector<Row> rows = {
      {"20", "20"},
      {"20.0", "20"},
      {"-0.0", "0"},
      {"-0", "0"},
      {"1e3", "1000"},
      {"1.5e3", "1500"},
      {"1e15", "1000000000000000"},
      {"1e18", "1000000000000000000"},
      {"0.1e1", "1"},
      {"100e-2", "1"},
      {"9223372036854775807", "9223372036854775807"},
      {"-9223372036854775809", "-9223372036854775809"},
      {"1e-400", "0"},
      {"123456789012345678901234567890", "123456789012345678901234567890"},
      {"123456789012345680.0", "123456789012345680"},
      {"1234567890123456789.0", "1234567890123456768"},
      {"9007199254740993.0", "9007199254740992"},
      {"9223372036854774784.0", "9223372036854774784"},
      {limit, limit}};
  for (const Row& row : rows) {
    std::string out;
    EXPECT_TRUE(append_integer_of_number(out, row.text)) << row.text;
    EXPECT_EQ(out, row.json) << row.text;
  }
  for (const std::string& text :
       {std::string("20.5"), std::string("1e19"), std::string("1.5e19"), std::string("1e308"),
        std::string("1e400"), std::string("-1e400"), std::string("2e-1"),
        std::string("9223372036854775807.0"), std::string("-9223372036854775808.0"), limit + "1"}) {
    std::string out(kRefused);
    EXPECT_FALSE(append_integer_of_number(out, text)) << text;
    EXPECT_EQ(out, kRefused) << text;
  }
}

TEST(JsonScalar, TextPassesForANumber) {
  const std::vector<Row> rows = {{"1.5", "1.5"},
                                 {" 1.5 ", "1.5"},
                                 {"1_0.5", "10.5"},
                                 {"1e3", "1e3"},
                                 {".5", "0.5"},
                                 {"5.", "5"},
                                 {"+1.5", "1.5"},
                                 {"-0", "-0"},
                                 {"00.5", "0.5"},
                                 {"0_0.5", "0.5"},
                                 {"1e1_0", "1e10"},
                                 {"1e-7", "1e-7"},
                                 {"1e-400", "1e-400"},
                                 {"-.25", "-0.25"},
                                 {"3.14159265358979323846", "3.14159265358979323846"}};
  for (const Row& row : rows) {
    std::string out;
    EXPECT_TRUE(append_number_of_text(out, row.text)) << row.text;
    EXPECT_EQ(out, row.json) << row.text;
  }
  for (const char* text : {"0x10", "1__0", "_1", "1_", "", "1.5e", "1,5", "\u0663", "nan", "NaN",
                           "inf", "-Infinity", "1e400", "+-1", "++1", "--1", "1 2", "e5", "."}) {
    std::string out(kRefused);
    EXPECT_FALSE(append_number_of_text(out, text)) << text << " " << out;
    EXPECT_EQ(out, kRefused) << text;
  }
}

TEST(JsonScalar, TextPassesForABoolean) {
  for (const char* text : {"true", "True", "TRUE", "t", "T", "yes", "YES", "y", "on", "1"}) {
    EXPECT_EQ(boolean_of_text(text), true) << text;
  }
  for (const char* text : {"false", "False", "f", "no", "n", "off", "0"}) {
    EXPECT_EQ(boolean_of_text(text), false) << text;
  }
  for (const char* text : {"2", "", " true ", "null", "truth", "yes please"}) {
    EXPECT_EQ(boolean_of_text(text), std::nullopt) << text;
  }
}

TEST(JsonScalar, NumbersCompareExactlyWhereTheyFit) {
  const auto compare = [](const std::string& left, const std::string& right) {
    return Number::compare(number_of(left), number_of(right));
  };
  EXPECT_EQ(compare("9007199254740993", "9007199254740992"), 1);
  EXPECT_EQ(compare("9007199254740992", "9007199254740993"), -1);
  EXPECT_EQ(compare("1", "1.0"), 0);
  EXPECT_EQ(compare("1e400", "1e308"), 1);
  EXPECT_EQ(compare("-1e400", "0"), -1);
  EXPECT_EQ(compare("1e-400", "0"), 0);
  EXPECT_EQ(compare("0." + std::string(400, '0') + "1", "0"), 0);
  EXPECT_EQ(compare(std::string(400, '1') + "e-5", "1e308"), 1);
  EXPECT_TRUE(number_of("1e3").is_whole);
  EXPECT_TRUE(number_of("1.0").is_whole);
  EXPECT_FALSE(number_of("1.5").is_whole);
  EXPECT_TRUE(number_of("123456789012345678901234567890").is_whole);
}

}  // namespace
}  // namespace funcd::registry
