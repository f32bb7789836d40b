#include "registry/names.h"

#include <gtest/gtest.h>

namespace funcd::registry {
namespace {

TEST(Names, LettersDigitsDashAndUnderscoreAreNames) {
  for (const char* name : {"hello", "api/users", "A-b_9", "a/b/c/d", "0"}) {
    EXPECT_EQ(name_problem(name), std::nullopt) << name;
  }
}

TEST(Names, TheRestIsNot) {
  EXPECT_EQ(name_problem("Bad Name"),
            "'Bad Name' is no name for a function; use letters, digits, '-', '_'");
  EXPECT_EQ(name_problem("api/x.y"),
            "'x.y' is no name for a function; use letters, digits, '-', '_'");
  EXPECT_EQ(name_problem(".hidden"), "'.hidden' is hidden: it begins with '.'");
  EXPECT_EQ(name_problem(""), "has an empty name");
  for (const char* name : {"..", "a/..", "%2e", "h\xC3\xA9", "a//b", "/a", "a/", "a\n", "a:b"}) {
    EXPECT_TRUE(name_problem(name)) << name;
  }
}

}  // namespace
}  // namespace funcd::registry
