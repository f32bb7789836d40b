#include "base/text.h"

#include <gtest/gtest.h>

namespace funcd {
namespace {

TEST(Text, TrimsBothEnds) {
  EXPECT_EQ(trimmed(" \ta b\t "), "a b");
  EXPECT_EQ(trimmed("\ra\r"), "\ra\r");
  EXPECT_EQ(trimmed("\ra \r", " \r"), "a");
  EXPECT_EQ(trimmed(" \t"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(Text, LowersAsciiOnly) {
  EXPECT_EQ(lower("@AZ[`az{-09"), "@az[`az{-09");
  EXPECT_EQ(lower("\xC3\x84\xC1"), "\xC3\x84\xC1");
}

}  // namespace
}  // namespace funcd
