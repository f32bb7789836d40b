#include "contract/query.h"

#include <gtest/gtest.h>

#include <vector>

namespace funcd::contract {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs pairs_of(std::string_view text) {
  QueryReader reader(text);
  Pairs pairs;
  while (const auto pair = reader.next()) pairs.emplace_back(pair->key, pair->value);
  if (reader.is_broken()) pairs.emplace_back("(broken)", "");
  return pairs;
}

TEST(Query, PairsAreSplitAndDecodedOnce) {
  EXPECT_EQ(pairs_of(""), Pairs());
  EXPECT_EQ(pairs_of("&&"), Pairs());
  EXPECT_EQ(pairs_of("a=1&b=two"), (Pairs{{"a", "1"}, {"b", "two"}}));
  EXPECT_EQ(pairs_of("&a&b=&=c&d=e=f&"), (Pairs{{"a", ""}, {"b", ""}, {"", "c"}, {"d", "e=f"}}));
  EXPECT_EQ(pairs_of("a+b=c+%2B"), (Pairs{{"a b", "c +"}}));
  EXPECT_EQ(pairs_of("a=%2541&%26=%3D"), (Pairs{{"a", "%41"}, {"&", "="}}));
  EXPECT_EQ(pairs_of("%E3%82%BC=%f0%9f%98%84"), (Pairs{{"\u30BC", "\U0001F604"}}));
  EXPECT_EQ(pairs_of("a=\xE3\x82\xBC&b=%00"), (Pairs{{"a", "\u30BC"}, {"b", {"\0", 1}}}));
  EXPECT_EQ(pairs_of("a=?#/"), (Pairs{{"a", "?#/"}}));
}

TEST(Query, BrokenEscapesAndTextsEndIt) {
  for (const char* text :
       {"a=%", "a=%4", "a=%4g", "%zz=1", "a=%FF", "a=\xFF", "a=%ED%A0%80", "a=%C0%AF", "%80"}) {
    EXPECT_EQ(pairs_of(text), (Pairs{{"(broken)", ""}})) << text;
  }
  EXPECT_EQ(pairs_of("a=1&b=%&c=3"), (Pairs{{"a", "1"}, {"(broken)", ""}}));
}

}  // namespace
}  // namespace funcd::contract
