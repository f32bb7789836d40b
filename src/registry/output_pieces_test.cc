#include "registry/output_pieces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace funcd::registry {
namespace {

using ::testing::HasSubstr;
using Outputs = std::vector<std::string>;

const Outputs kPlain = {R"({"hello":"ada","id":"a1"})", R"({"hello":"ada","id":"b2"})",
                        R"({"hello":"ada","id":"c3"})"};

TEST(OutputPieces, WhatDiffersInPlainRunsMayDiffer) {
  const Outputs resumed = {R"({"hello":"ada","id":"d4"})", R"({"hello":"ada","id":"e5"})"};
  EXPECT_EQ(difference_in_pieces(kPlain, resumed), "");
}

TEST(OutputPieces, WhatIsTheSameInPlainRunsHasToBe) {
  const Outputs one = {R"({"hello":"ada","id":"d4"})", R"({"hello":"bob","id":"e5"})"};
  EXPECT_THAT(difference_in_pieces(kPlain, one), HasSubstr("something else"));
  const Outputs both = {R"({"hello":"bob","id":"d4"})", R"({"hello":"bob","id":"e5"})"};
  EXPECT_THAT(difference_in_pieces(kPlain, both), HasSubstr("something else"));
  const Outputs more = {R"({"hello":"ada","id":"d4"}!)", R"({"hello":"ada","id":"e5"}!)"};
  EXPECT_THAT(difference_in_pieces(kPlain, more), HasSubstr("something else"));
}

TEST(OutputPieces, WhatIsAnotherInEachPlainRunMustNotBeFrozen) {
  const Outputs frozen = {R"({"hello":"ada","id":"d4"})", R"({"hello":"ada","id":"d4"})"};
  EXPECT_THAT(difference_in_pieces(kPlain, frozen), HasSubstr("no two plain ones"));
  // Of few values one can come twice.
  const Outputs coins = {"heads", "tails", "heads"};
  const Outputs heads = {"heads", "heads"};
  EXPECT_EQ(difference_in_pieces(coins, heads), "");
}

TEST(OutputPieces, WhatHasAnotherShapeEachTimeIsNotCompared) {
  const Outputs plain = {"a b", "a b c", "a"};
  const Outputs resumed = {"x", "x"};
  EXPECT_EQ(difference_in_pieces(plain, resumed), "");
}

TEST(OutputPieces, NothingIsAnOutputToo) {
  const Outputs plain = {"", "", ""};
  const Outputs nothing = {"", ""};
  EXPECT_EQ(difference_in_pieces(plain, nothing), "");
  const Outputs something = {"x", "x"};
  EXPECT_NE(difference_in_pieces(plain, something), "");
}

}  // namespace
}  // namespace funcd::registry
