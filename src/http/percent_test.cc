#include "http/percent.h"

#include <gtest/gtest.h>

namespace funcd::http {
namespace {

using std::string_literals::operator""s;

TEST(PercentDecode, DecodesOnce) {
  EXPECT_EQ(percent_decode(""), "");
  EXPECT_EQ(percent_decode("plain-_.~"), "plain-_.~");
  EXPECT_EQ(percent_decode("a%20b%2Fc%2fd"), "a b/c/d");
  EXPECT_EQ(percent_decode("%2541"), "%41");
  EXPECT_EQ(percent_decode("%C3%A9"), "\xC3\xA9");
  EXPECT_EQ(percent_decode("%00"), "\0"s);
  EXPECT_EQ(percent_decode("%ff"), "\xFF");
}

TEST(PercentDecode, RefusesWhatIsNoEscape) {
  for (const char* text : {"%", "a%", "%2", "%g0", "%0g", "%%41", "%u0041", "% 41", "%-1"}) {
    EXPECT_FALSE(percent_decode(text).has_value()) << text;
  }
}

TEST(PercentDecode, PlusIsASpaceInFormsOnly) {
  EXPECT_EQ(percent_decode("a+b"), "a+b");
  EXPECT_EQ(percent_decode("a+b%2B", Plus::space), "a b+");
}

}  // namespace
}  // namespace funcd::http
