#include "source/s3_location.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace funcd::source {
namespace {

using ::testing::HasSubstr;

TEST(S3Location, BucketAndPrefixAreRead) {
  const auto whole = parse_s3_url("s3://fns");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->bucket, "fns");
  EXPECT_EQ(whole->prefix, "");
  const auto below = parse_s3_url("s3://my.fns-1/prod/eu//");
  ASSERT_TRUE(below);
  EXPECT_EQ(below->bucket, "my.fns-1");
  EXPECT_EQ(below->prefix, "prod/eu/");
  EXPECT_EQ(format_s3_url(*below), "s3://my.fns-1/prod/eu");
  EXPECT_EQ(format_s3_url(*whole), "s3://fns");
}

TEST(S3Location, WhatIsNoneIsToldWhy) {
  const auto error = [](std::string_view url) {
    const auto parsed = parse_s3_url(url);
    return parsed ? std::string() : parsed.error().message;
  };
  EXPECT_THAT(error("fns"), HasSubstr("does not begin with s3://"));
  EXPECT_THAT(error("s3://"), HasSubstr("names no bucket"));
  EXPECT_THAT(error("s3:///x"), HasSubstr("names no bucket"));
  for (const auto* name : {"ab", "Fns", "f_ns", "-fns", "fns-", "f ns", "fns?x"}) {
    EXPECT_THAT(error(std::string("s3://") + name), HasSubstr("no bucket's name")) << name;
  }
  for (const auto* prefix : {"a//b", "../a", "a/./b", "/a"}) {
    EXPECT_THAT(error(std::string("s3://fns/") + prefix), HasSubstr("has the segment")) << prefix;
  }
}

TEST(S3Location, UrisAreEncodedAsSigningAsksFor) {
  EXPECT_EQ(encode_uri("a b+c/é~_.-%", Slash::kept), "a%20b%2Bc/%C3%A9~_.-%25");
  EXPECT_EQ(encode_uri("a/b", Slash::encoded), "a%2Fb");
}

}  // namespace
}  // namespace funcd::source
