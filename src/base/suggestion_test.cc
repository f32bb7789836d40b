#include "base/suggestion.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace funcd {
namespace {

constexpr std::array<std::string_view, 4> kWords = {"timeout", "memory", "env", "mounts"};

TEST(Suggestion, FindsANearMiss) {
  EXPECT_EQ(nearest("tiemout", kWords), "timeout");
  EXPECT_EQ(nearest("evn", kWords), "env");
  EXPECT_EQ(nearest("mount", kWords), "mounts");
  EXPECT_EQ(nearest("envs", kWords), "env");
}

TEST(Suggestion, IsSilentAboutWhatIsFarAway) {
  EXPECT_EQ(nearest("banana", kWords), std::nullopt);
  EXPECT_EQ(nearest(std::string(65, 'x'), kWords), std::nullopt);
  EXPECT_EQ(nearest("env", {}), std::nullopt);
}

}  // namespace
}  // namespace funcd
