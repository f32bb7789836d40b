#include "engine/surroundings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace funcd::engine {
namespace {

using testing::HasSubstr;

TEST(OutboundRule, SchemeHostAndPort) {
  for (const auto& [text, read] : {
           std::pair("https://api.example.com", "https://api.example.com:443"),
           std::pair("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
           std::pair("HTTPS://", ""),
           std::pair("https://*.Example.com/", "https://*.example.com:443"),
           std::pair("http://*", "http://*:80"),
           std::pair("http://[::1]:8080", "http://[::1]:8080"),
       }) {
    const auto rule = parse_outbound_rule(text);
    if (*read == '\0') {
      EXPECT_FALSE(rule) << text;
      continue;
    }
    ASSERT_TRUE(rule) << rule.error().message;
    EXPECT_EQ(text_of(*rule), read);
  }
}

TEST(OutboundRule, WhatIsNoneSaysWhatToWrite) {
  for (const auto& [text, error] : {
           std::pair("api.example.com", "has no scheme"),
           std::pair("ftp://a", "has no scheme"),
           std::pair("https://", "is no host"),
           std::pair("https://a.*.com", "is no host"),
           std::pair("https://*x.com", "is no host"),
           std::pair("https://.com", "is no host"),
           std::pair("https://user@a", "more than scheme, host and port"),
           std::pair("https://a/path", "more than scheme, host and port"),
           std::pair("https://a:0", "is no port"),
           std::pair("https://a:65536", "is no port"),
           std::pair("https://a:", "is no port"),
           std::pair("https://[::1", "without its ']'"),
           std::pair("https://[x]", "no IPv6 address"),
       }) {
    const auto rule = parse_outbound_rule(text);
    ASSERT_FALSE(rule) << text;
    EXPECT_THAT(rule.error().message, HasSubstr(error)) << text;
  }
}

}  // namespace
}  // namespace funcd::engine
