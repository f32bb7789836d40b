#include "base/utf8.h"

#include <gtest/gtest.h>

namespace funcd {
namespace {

TEST(Utf8, TakesWellFormedSequences) {
  EXPECT_EQ(utf8_size("a"), 1U);
  EXPECT_EQ(utf8_size("\xC3\xBC!"), 2U);
  EXPECT_EQ(utf8_size("\xE2\x82\xAC"), 3U);
  EXPECT_EQ(utf8_size("\xF0\x9F\x98\x80"), 4U);
  EXPECT_TRUE(is_utf8("a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80"));
  EXPECT_TRUE(is_utf8(""));
}

TEST(Utf8, RefusesTheRest) {
  EXPECT_FALSE(is_utf8("\x80"));              // a continuation alone
  EXPECT_FALSE(is_utf8("\xC3"));              // cut off
  EXPECT_FALSE(is_utf8("\xC0\xAF"));          // overlong
  EXPECT_FALSE(is_utf8("\xE0\x80\xAF"));      // overlong
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));      // surrogate
  EXPECT_FALSE(is_utf8("\xF4\x90\x80\x80"));  // above U+10FFFF
  EXPECT_FALSE(is_utf8("ok\xFF"));
}

TEST(Utf8, CountsCharacters) {
  EXPECT_EQ(utf8_count(""), 0U);
  EXPECT_EQ(utf8_count("a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80"), 4U);
}

TEST(Utf8, IsCutBetweenCharacters) {
  EXPECT_EQ(cut_short("a\xC3\xBC", 3), "a\xC3\xBC");
  EXPECT_EQ(cut_short("a\xC3\xBC", 2), "a...");
  EXPECT_EQ(cut_short("a\xC3\xBC!", 3), "a\xC3\xBC...");
  EXPECT_EQ(cut_short("\xBC\xBC", 1), "...");
}

TEST(Printable, NothingMovesATerminalsCursor) {
  EXPECT_EQ(printable("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(printable("a\x1b[2Jb\n"), "a\\x1b[2Jb\\x0a");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xc2\\x9b");
  EXPECT_EQ(printable("\xFF"), "\\xff");
}

}  // namespace
}  // namespace funcd
