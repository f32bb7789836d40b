#include "source/s3_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "source/object_path.h"

namespace funcd::source {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kPage =
    R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>fns</Name><KeyCount>2</KeyCount>
<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken>
<Contents><Key>p/a b+c&amp;d.wasm</Key><ETag>&#34;b1946&#34;</ETag><Size>6</Size></Contents>
<Contents><Key>p/x.wasm</Key><ETag>"c-2"</ETag><Size>5000000000</Size></Contents>
</ListBucketResult>)";

TEST(S3Answer, ListingsAreRead) {
  const auto page = parse_listing(kPage);
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->objects.size(), 2U);
  EXPECT_EQ(page->objects[0].key, "p/a b+c&d.wasm");
  EXPECT_EQ(page->objects[0].etag, "b1946");
  EXPECT_EQ(page->objects[1].etag, "c-2");
  EXPECT_EQ(page->objects[1].bytes, 5'000'000'000U);
  EXPECT_EQ(page->next, "a&b");
}

TEST(S3Answer, KeysAreDecodedOnlyWhereTheAnswerSaysSo) {
  const std::string head = "<ListBucketResult><IsTruncated>false</IsTruncated>";
  const std::string entry =
      "<Contents><Key>a%20b+c</Key><ETag>e</ETag><Size>1</Size></Contents></ListBucketResult>";
  EXPECT_EQ(parse_listing(head + entry)->objects[0].key, "a%20b+c");
  EXPECT_EQ(parse_listing(head + "<EncodingType>url</EncodingType>" + entry)->objects[0].key,
            "a b c");
}

TEST(S3Answer, EveryPrefixOfAListingIsAnError) {
  for (std::size_t size = 0; size < kPage.size(); ++size) {
    EXPECT_FALSE(parse_listing(kPage.substr(0, size))) << size;
  }
}

TEST(S3Answer, ErrorsAreRead) {
  const auto error = parse_error("<Error><Code>NoSuchBucket</Code><Message>m</Message></Error>");
  EXPECT_EQ(error.code, "NoSuchBucket");
  EXPECT_EQ(error.message, "m");
  EXPECT_EQ(parse_error("<html>").code, "");
}

TEST(ObjectPath, KeysThatAreNoFilesAreRefusedOrLeftOut) {
  EXPECT_EQ(kind_of_key("api/hello.wasm"), KeyKind::file);
  EXPECT_EQ(kind_of_key("users/[id].wasm"), KeyKind::file);
  for (const auto* hidden : {"", "a/", ".funcd/x", "a/.b/c"}) {
    EXPECT_EQ(kind_of_key(hidden), KeyKind::hidden) << hidden;
  }
  for (const auto* bad : {"../a", "a/../b", "/a", "a//b", "./a", "a\nb", "a\\b", "\xff"}) {
    EXPECT_EQ(kind_of_key(bad), KeyKind::refused) << bad;
    EXPECT_TRUE(path_problem(bad)) << bad;
  }
  EXPECT_EQ(kind_of_key(std::string(201, 'a')), KeyKind::refused);
  EXPECT_EQ(kind_of_key(std::string(200, 'a')), KeyKind::file);
}

TEST(ObjectPath, StemsHoldTogether) {
  EXPECT_EQ(stem_of("api/hello.wasm"), "api/hello");
  EXPECT_EQ(stem_of("api/hello.schema.json"), "api/hello");
  EXPECT_EQ(stem_of("a.b/hello"), "a.b/hello");
}

}  // namespace
}  // namespace funcd::source
