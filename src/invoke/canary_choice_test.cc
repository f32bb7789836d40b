#include "invoke/canary_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace funcd::invoke {
namespace {

using registry::Stickiness;

std::shared_ptr<registry::Revision> canary_of(std::uint32_t weight, Stickiness sticky = {}) {
  auto revision = std::make_shared<registry::Revision>();
  revision->function = std::make_shared<registry::Function>("hello", 1, 2);
  revision->manifest.canary = {.weight = weight, .sticky = std::move(sticky)};
  return revision;
}

http::RequestHead head_with(std::span<const http::Field> fields) {
  http::RequestHead head;
  head.fields = fields;
  return head;
}

TEST(CanaryChoice, DrawsWhoDoesNotSayWhoItIs) {
  constexpr int kRequests = 10'000;
  const auto canary = canary_of(500);
  CanaryChoice choice(20'261'126);
  int met = 0;
  for (int i = 0; i < kRequests; ++i) {
    const auto side = choice.choose({}, *canary);
    met += side.is_canary ? 1 : 0;
    EXPECT_EQ(side.client.token, 0U);
  }
  EXPECT_NEAR(met, kRequests * 0.05, 6 * std::sqrt(kRequests * 0.05 * 0.95));
}

TEST(CanaryChoice, AWeightOfNothingAndOfAll) {
  CanaryChoice choice(1);
  const auto nothing = canary_of(0, {.kind = Stickiness::Kind::cookie});
  const auto all = canary_of(registry::kWholeWeight);
  for (int i = 0; i < 1'000; ++i) {
    const auto side = choice.choose({}, *nothing);
    EXPECT_FALSE(side.is_canary);
    EXPECT_EQ(side.client.token, 0U) << "nobody is marked for nothing";
    EXPECT_TRUE(choice.choose({}, *all).is_canary);
  }
}

TEST(CanaryChoice, ACookieKeepsItsClient) {
  CanaryChoice here(1);
  CanaryChoice there(2);
  const Stickiness sticky{.kind = Stickiness::Kind::cookie};
  const auto canary = canary_of(2'000, sticky);
  const auto grown = canary_of(5'000, sticky);
  int moved = 0;
  for (int i = 0; i < 1'000; ++i) {
    const auto first = here.choose({}, *canary);
    ASSERT_NE(first.client.token, 0U);
    http::Response response;
    add_client_cookie(response, first.client);
    const std::string bytes(response.fields.bytes());
    ASSERT_THAT(bytes, ::testing::MatchesRegex("set-cookie: funcd-client=[0-9a-f]{16}; Path=/; "
                                               "Max-Age=2592000; HttpOnly; SameSite=Lax\r\n"));
    const std::string cookie =
        "a=b;  funcd-client-2=x; " + bytes.substr(12, bytes.find(';') - 12) + "; c=d";
    const std::array fields = {http::Field{"Cookie", cookie}};
    const auto second = there.choose(head_with(fields), *canary);
    EXPECT_EQ(second.is_canary, first.is_canary);
    EXPECT_EQ(second.client.token, 0U) << "it has its cookie";
    const auto later = there.choose(head_with(fields), *grown);
    EXPECT_TRUE(later.is_canary || !first.is_canary) << "nobody goes back";
    moved += later.is_canary && !first.is_canary ? 1 : 0;
  }
  EXPECT_NEAR(moved, 300, 6 * std::sqrt(1'000 * 0.3 * 0.7));
}

TEST(CanaryChoice, AHeaderNamesItsClient) {
  CanaryChoice choice(1);
  const auto canary = canary_of(5'000, {.kind = Stickiness::Kind::header, .header = "x-user"});
  int met = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::string user = fmt::format("user{}", i);
    const std::array fields = {http::Field{"X-User", user}};
    const auto side = choice.choose(head_with(fields), *canary);
    for (int again = 0; again < 5; ++again) {
      EXPECT_EQ(choice.choose(head_with(fields), *canary).is_canary, side.is_canary);
    }
    EXPECT_EQ(side.client.token, 0U);
    met += side.is_canary ? 1 : 0;
  }
  EXPECT_NEAR(met, 500, 6 * std::sqrt(250));
}

TEST(CanaryChoice, WhatNamesNobodyIsDrawn) {
  CanaryChoice choice(1);
  const auto canary = canary_of(5'000, {.kind = Stickiness::Kind::cookie});
  const std::string long_value = "funcd-client=" + std::string(kClientBytesMax + 1, 'a');
  for (const std::string_view value :
       {std::string_view("funcd-client="), std::string_view("other=1"), std::string_view(""),
        std::string_view(";;;"), std::string_view("funcd-client"), std::string_view(long_value)}) {
    const std::array fields = {http::Field{"cookie", value}};
    EXPECT_NE(choice.choose(head_with(fields), *canary).client.token, 0U) << value.substr(0, 40);
  }
}

}  // namespace
}  // namespace funcd::invoke
