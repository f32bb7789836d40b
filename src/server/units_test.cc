#include "server/units.h"

#include <gtest/gtest.h>

namespace funcd::server {
namespace {

TEST(Units, ApproximateSizesAreRounded) {
  EXPECT_EQ(approximate_size(812), "812 B");
  EXPECT_EQ(approximate_size(3'460'300), "3.3 MiB");
}

TEST(Units, CountsAreWholeNumbersInRange) {
  EXPECT_EQ(*parse_count("12", 1, 12), 12U);
  for (const auto* text : {"", " 1", "1x", "-1", "1.5", "99999999999999999999"}) {
    EXPECT_FALSE(parse_count(text, 0, 100)) << text;
  }
  EXPECT_EQ(parse_count("13", 1, 12).error().message, "expected a number from 1 to 12, got 13");
}

}  // namespace
}  // namespace funcd::server
