#include "registry/canary.h"

#include <gtest/gtest.h>

#include <cmath>

#include "registry/manifest.h"

namespace funcd::registry {
namespace {

constexpr int kClients = 20'000;

std::string client(int number) {
  return fmt::format("user{}", number);
}

// How many of the clients stand below a weight.
int below(std::uint32_t weight, std::uint64_t canary = 2) {
  int count = 0;
  for (int i = 0; i < kClients; ++i) {
    count += canary_point("hello", canary, client(i)) < weight ? 1 : 0;
  }
  return count;
}

TEST(Canary, WeightsAreReadToTheHundredthOfAPercent) {
  for (const auto& [text, weight] :
       {std::pair("5%", 500U), std::pair("0.25%", 25U), std::pair("100%", 10'000U),
        std::pair("0%", 0U), std::pair("12.5%", 1'250U), std::pair("99.99%", 9'999U)}) {
    const auto read = parse_weight(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(*read, weight) << text;
    EXPECT_EQ(format_weight(weight), text);
  }
  for (const char* text : {"5", "%", "", "101%", "100.01%", "-1%", "5 %", "1e1%", "0.001%", "5.%",
                           ".5%", "0005%", "5%%"}) {
    EXPECT_FALSE(parse_weight(text)) << text;
  }
}

TEST(Canary, SharesAreWhatTheWeightSays) {
  for (const std::uint32_t weight : {100U, 500U, 2'000U, 5'000U, 9'000U}) {
    const double share = weight / 10'000.0;
    // Six standard deviations: clients are numbered, so that this is the same in each run.
    const double slack = 6 * std::sqrt(kClients * share * (1 - share));
    EXPECT_NEAR(below(weight), kClients * share, slack) << weight;
  }
  EXPECT_EQ(below(0), 0);
  EXPECT_EQ(below(kWholeWeight), kClients);
}

TEST(Canary, GrowingMovesClientsOneWay) {
  for (int i = 0; i < kClients; ++i) {
    const std::uint32_t point = canary_point("hello", 2, client(i));
    EXPECT_LT(point, kWholeWeight);
    EXPECT_EQ(point, canary_point("hello", 2, client(i)));
  }
  // Every server of every version says the same.
  EXPECT_EQ(canary_point("hello", 2, "user1"), 6'340U);
  EXPECT_EQ(canary_point("api/users", 17, "0123456789abcdef"), 1'267U);
}

TEST(Canary, AnotherOneAsksOtherClientsFirst) {
  int both = 0;
  for (int i = 0; i < kClients; ++i) {
    const bool is_first = canary_point("hello", 2, client(i)) < 1'000;
    const bool is_second = canary_point("hello", 3, client(i)) < 1'000;
    both += is_first && is_second ? 1 : 0;
  }
  EXPECT_NEAR(both, kClients / 100, 6 * std::sqrt(kClients / 100));
}

TEST(Canary, StickinessIsNoneCookieOrAHeader) {
  EXPECT_EQ(parse_stickiness("none")->kind, Stickiness::Kind::none);
  EXPECT_EQ(parse_stickiness("cookie")->kind, Stickiness::Kind::cookie);
  const auto header = parse_stickiness("header:X-User");
  ASSERT_TRUE(header);
  EXPECT_EQ(header->header, "x-user");
  EXPECT_EQ(format_stickiness(*header), "header:x-user");
  for (const char* text : {"", "cookies", "header", "header:", "header:a b", "header:\"", "ip"}) {
    EXPECT_FALSE(parse_stickiness(text)) << text;
  }
}

TEST(Canary, SidecarSaysWeightAndStickiness) {
  const auto read = [](std::string_view text) {
    return parse_manifest(text, "hello@2.toml", Limits(), Limits());
  };
  const auto manifest = read("[canary]\nweight = \"5%\"\nsticky = \"header:x-user\"\n");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->canary->weight, 500U);
  EXPECT_EQ(manifest->canary->sticky.header, "x-user");
  EXPECT_EQ(read("[canary]\n")->canary->weight, 0U);
  EXPECT_EQ(read("[canary]\nwieght = \"5%\"\n").error().message,
            "hello@2.toml:2: unknown key 'wieght' in [canary]; did you mean 'weight'? known are "
            "weight, sticky");
  EXPECT_EQ(read("[canary]\nweight = 5\n").error().message,
            "hello@2.toml:2: canary.weight: expected a string such as \"5%\", got an integer");
  EXPECT_EQ(read("[canary]\nweight = \"105%\"\n").error().message,
            "hello@2.toml:2: canary.weight: '105%' is no weight; write \"5%\", from \"0%\" to "
            "\"100%\", in "
            "steps of 0.01%");
}

TEST(Canary, HasFilesOfItsOwn) {
  EXPECT_EQ(canary_path("api/item.schema.json", 2), "api/item@2.schema.json");
  EXPECT_EQ(canary_path("hello.wasm", 17), "hello@17.wasm");
  EXPECT_EQ(canary_path("a.b/plain", 1), "a.b/plain@1");
}

}  // namespace
}  // namespace funcd::registry
