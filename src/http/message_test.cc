#include "http/message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace funcd::http {
namespace {

TEST(RequestHead, FieldNamesCompareWithoutCase) {
  const std::vector<Field> fields = {{"Accept", "a"}, {"X-Y", "1"}, {"x-y", "2"}};
  RequestHead head;
  head.fields = fields;
  EXPECT_EQ(head.field("ACCEPT"), "a");
  EXPECT_EQ(head.field("x-Y"), "1");
  EXPECT_FALSE(head.field("x-").has_value());
  EXPECT_FALSE(head.field("").has_value());
}

TEST(FieldBlock, KeepsFieldsAsTheyGoOntoTheWire) {
  FieldBlock block;
  EXPECT_TRUE(block.empty());
  EXPECT_TRUE(block.add("x-one", "1"));
  EXPECT_TRUE(block.add("x-empty", ""));
  EXPECT_TRUE(block.add("x-latin", "caf\xE9\ttab"));
  EXPECT_EQ(block.bytes(), "x-one: 1\r\nx-empty: \r\nx-latin: caf\xE9\ttab\r\n");
}

TEST(FieldBlock, RefusesWhatWouldSplitAResponse) {
  FieldBlock block;
  for (const std::string value : {"a\r\nset-cookie: b", "a\nb", "a\rb", "a\x7F", "\x01"}) {
    EXPECT_FALSE(block.add("x", value)) << value;
  }
  EXPECT_FALSE(block.add("x", std::string_view("a\0b", 3)));
  for (const std::string name :
       {"", " ", "a b", "a:", "a\r\n", "caf\xC3\xA9", "a\"", "(a)", "a/b"}) {
    EXPECT_FALSE(block.add(name, "v")) << name;
  }
  EXPECT_FALSE(block.add(std::string_view("a\0", 2), "v"));
  EXPECT_TRUE(block.empty());
}

TEST(FieldBlock, LeavesFramingToTheSession) {
  FieldBlock block;
  for (const char* name : {"Content-Length", "transfer-encoding", "Connection", "keep-alive",
                           "Date", "upgrade", "trailer", "te", "proxy-connection"}) {
    EXPECT_TRUE(block.add(name, "5")) << name;
  }
  EXPECT_EQ(block.bytes(), "");
}

TEST(Trailers, SayNothingThatTheHeadHasToSay) {
  for (const std::string_view name :
       {"Content-Length", "transfer-encoding", "Host", "trailer", "connection", "authorization",
        "Content-Type", "cookie", "expect", "x-forwarded-for", "if-none-match"}) {
    EXPECT_FALSE(may_be_trailer(name)) << name;
  }
  for (const std::string_view name : {"x-sum", "digest", "server-timing", "grpc-status", "etag"}) {
    EXPECT_TRUE(may_be_trailer(name)) << name;
  }
}

TEST(ReasonPhrase, IsEmptyForUnknownStatuses) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(404), "Not Found");
  EXPECT_EQ(reason_phrase(299), "");
  EXPECT_EQ(reason_phrase(-1), "");
}

TEST(EqualsIgnoringCase, ComparesAsciiOnly) {
  EXPECT_TRUE(equals_ignoring_case("Content-TYPE", "content-type"));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
  EXPECT_FALSE(equals_ignoring_case("\xC4", "\xE4"));
}

}  // namespace
}  // namespace funcd::http
