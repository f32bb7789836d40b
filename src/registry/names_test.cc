#include "registry/names.h"

#include <gtest/gtest.h>

#include "registry/canary.h"

namespace funcd::registry {
namespace {

TEST(Names, LettersDigitsDashAndUnderscoreAreNames) {
  for (const char* name : {"hello", "api/users", "A-b_9", "a/b/c/d", "0"}) {
    EXPECT_EQ(name_problem(name), std::nullopt) << name;
  }
}

TEST(Names, TheRestIsNot) {
  EXPECT_EQ(name_problem("Bad Name"),
            "'Bad Name' is no name for a function; use letters, digits, '-', '_', or [name]");
  EXPECT_EQ(name_problem("api/x.y"),
            "'x.y' is no name for a function; use letters, digits, '-', '_', or [name]");
  EXPECT_EQ(name_problem(".hidden"), "'.hidden' is hidden: it begins with '.'");
  EXPECT_EQ(name_problem(""), "has an empty name");
  for (const char* name : {"..", "a/..", "%2e", "h\xC3\xA9", "a//b", "/a", "a/", "a\n", "a:b"}) {
    EXPECT_TRUE(name_problem(name)) << name;
  }
}

TEST(Names, ACanaryHasANumber) {
  for (const char* name : {"hello@2", "api/users@17", "index@1", "[id]@999999999"}) {
    EXPECT_EQ(name_problem(name), std::nullopt) << name;
    EXPECT_TRUE(canary_name_of(name)) << name;
  }
  for (const char* name : {"hello@", "hello@0", "hello@02", "hello@x", "hello@2x", "hello@-1", "@2",
                           "a@2/b", "hello@1000000000", "a@1@2", "Bad Name@2"}) {
    EXPECT_TRUE(name_problem(name)) << name;
  }
  EXPECT_EQ(name_problem("api/hello@x"),
            "'hello@x': after '@' comes the number of a canary, 1 to 999999999: hello@2");
  EXPECT_EQ(canary_name_of("api/users@17")->function, "api/users");
  EXPECT_EQ(canary_name_of("api/users@17")->number, 17U);
  EXPECT_EQ(canary_name_of("hello"), std::nullopt);
}

TEST(Names, BracketsMakeParameters) {
  for (const char* name : {"[id]", "users/[id]", "[id]/show", "[resource]/[id]/show", "[...rest]",
                           "a/[...rest]", "[...rest]/index", "[_a-9]"}) {
    EXPECT_EQ(name_problem(name), std::nullopt) << name;
  }
  EXPECT_EQ(name_problem("[...rest]/more"),
            "'[...rest]' takes all that is left, so nothing but an index comes after it");
  for (const char* name :
       {"[]", "[9]", "[a b]", "[a", "a]", "x[a]", "[a]x", "[..a]", "[....a]", "[...]", "[[a]]",
        "[...a]/[b]", "[...a]/index/b", "[a/b]", "[\xC3\xA9]"}) {
    EXPECT_TRUE(name_problem(name)) << name;
  }
}

TEST(Names, TellTheRoute) {
  EXPECT_EQ(route_of_name("hello"), "/hello");
  EXPECT_EQ(route_of_name("api/users"), "/api/users");
  EXPECT_EQ(route_of_name("index"), "/");
  EXPECT_EQ(route_of_name("api/index"), "/api");
  EXPECT_EQ(route_of_name("index/api"), "/index/api");
  EXPECT_EQ(route_of_name("[resource]/[id]/show"), "/{resource}/{id}/show");
  EXPECT_EQ(route_of_name("[id]/index"), "/{id}");
  EXPECT_EQ(route_of_name("[...rest]"), "/{*rest}");
  EXPECT_EQ(route_of_name("a/[...rest]/index"), "/a/{*rest}");
}

}  // namespace
}  // namespace funcd::registry
