#include "base/time_text.h"

#include <gtest/gtest.h>

namespace funcd {
namespace {

TEST(TimeText, TimesAreRfc3339) {
  const std::chrono::system_clock::time_point time{std::chrono::milliseconds(1'767'323'045'078)};
  EXPECT_EQ(format_time(time), "2026-01-02T03:04:05Z");
  EXPECT_EQ(format_time_ms(time), "2026-01-02T03:04:05.078Z");
}

TEST(TimeText, ElapsedIsInMilliseconds) {
  EXPECT_EQ(format_elapsed(std::chrono::microseconds(12'340)), "12.3ms");
  EXPECT_EQ(format_elapsed(std::chrono::seconds(2)), "2000.0ms");
}

}  // namespace
}  // namespace funcd
