#include "telemetry/reason.h"

#include <gtest/gtest.h>

#include <set>

namespace funcd {
namespace {

TEST(Reason, NamesAreDistinctWords) {
  std::set<std::string_view> names;
  for (std::size_t i = 1; i < kReasonCount; ++i) {
    const std::string_view name = name_of(static_cast<Reason>(i));
    EXPECT_FALSE(name.empty()) << i;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), std::string_view::npos);
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(name_of(Reason::none), "");
}

TEST(Reason, StatusesAreThoseOfTheTable) {
  EXPECT_EQ(status_of(Reason::not_found), 404);
  EXPECT_EQ(status_of(Reason::method_not_allowed), 405);
  EXPECT_EQ(status_of(Reason::bad_request), 400);
  EXPECT_EQ(status_of(Reason::request_too_large), 413);
  EXPECT_EQ(status_of(Reason::header_too_large), 431);
  EXPECT_EQ(status_of(Reason::request_timeout), 408);
  EXPECT_EQ(status_of(Reason::bad_input), 422);
  EXPECT_EQ(status_of(Reason::bad_output), 502);
  EXPECT_EQ(status_of(Reason::output_too_large), 502);
  EXPECT_EQ(status_of(Reason::trap), 500);
  EXPECT_EQ(status_of(Reason::exit), 500);
  EXPECT_EQ(status_of(Reason::memory_limit), 500);
  EXPECT_EQ(status_of(Reason::time_limit), 504);
  EXPECT_EQ(status_of(Reason::overloaded), 503);
  EXPECT_EQ(status_of(Reason::building), 503);
  EXPECT_EQ(name_of(Reason::output_too_large), "output-too-large");
  EXPECT_EQ(name_of(Reason::internal), "internal");
}

}  // namespace
}  // namespace funcd
