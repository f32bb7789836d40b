#include "files/file_response.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "files/media_type.h"
#include "testing/temp_folder.h"

namespace funcd::files {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kModified = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr std::int64_t kLater = (kModified + 60) * kSecond;

// "206 bytes 0-1/10 0+2": status, content-range, what of the file is sent.
std::string answer(std::vector<http::Field> fields, std::string_view method = "GET",
                   std::int64_t now_ns = kLater, std::uint64_t size = 10) {
  http::RequestHead head;
  head.method = method;
  head.fields = fields;
  OpenFile file;
  file.bytes = size;
  file.modified_ns = kModified * kSecond;
  file.media_type = "text/plain";
  const FileResponse response = respond_with_file(head, file, now_ns);
  std::string text = std::to_string(response.head.status);
  const std::string_view sent = response.head.fields.bytes();
  if (const auto at = sent.find("content-range: "); at != sent.npos) {
    text += " " + std::string(sent.substr(at + 15, sent.find('\r', at) - at - 15));
  }
  return text + fmt::format(" {}+{}", response.offset, response.bytes);
}

std::string tag(std::int64_t now_ns = kLater) {
  http::RequestHead head;
  head.method = "GET";
  OpenFile file;
  file.bytes = 10;
  file.modified_ns = kModified * kSecond;
  const auto response = respond_with_file(head, file, now_ns);
  const std::string_view sent = response.head.fields.bytes();
  return std::string(sent.substr(6, sent.find('\r') - 6));
}

TEST(FileResponse, RangesAreThoseOfTheRfc) {
  EXPECT_EQ(answer({}), "200 0+10");
  EXPECT_EQ(answer({{"Range", "bytes=0-1"}}), "206 bytes 0-1/10 0+2");
  EXPECT_EQ(answer({{"Range", "bytes=5-"}}), "206 bytes 5-9/10 5+5");
  EXPECT_EQ(answer({{"Range", "bytes=-3"}}), "206 bytes 7-9/10 7+3");
  EXPECT_EQ(answer({{"Range", "bytes=-99"}}), "206 bytes 0-9/10 0+10");
  EXPECT_EQ(answer({{"Range", "Bytes=9-99"}}), "206 bytes 9-9/10 9+1");
  EXPECT_EQ(answer({{"Range", "bytes=0-99999999999999999999999"}}), "206 bytes 0-9/10 0+10");
  EXPECT_EQ(answer({{"Range", "bytes=10-"}}), "416 bytes */10 0+0");
  EXPECT_EQ(answer({{"Range", "bytes=-0"}}), "416 bytes */10 0+0");
  EXPECT_EQ(answer({{"Range", "bytes=99999999999999999999999-"}}), "416 bytes */10 0+0");
  EXPECT_EQ(answer({{"Range", "bytes=0-"}}, "GET", kLater, 0), "416 bytes */0 0+0");
}

TEST(FileResponse, RangesThatAreNoneAreIgnored) {
  for (const char* range : {"bytes=2-1", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "lines=0-1",
                            "0-1", "bytes=0-1,3-4", "bytes=1 -2", "bytes=--1", "bytes=+1-2"}) {
    EXPECT_EQ(answer({{"Range", range}}), "200 0+10") << range;
  }
  EXPECT_EQ(answer({{"Range", "bytes=0-1"}}, "HEAD"), "200 0+10");
  EXPECT_EQ(answer({{"Range", "bytes=-5"}}, "GET", kLater, 0), "200 0+0");
}

TEST(FileResponse, ConditionsAreAskedInOrder) {
  const std::string ours = tag();
  EXPECT_EQ(ours.front(), '"');
  EXPECT_EQ(answer({{"If-None-Match", ours}}), "304 0+0");
  EXPECT_EQ(answer({{"If-None-Match", "\"x\", W/" + ours}}), "304 0+0");
  EXPECT_EQ(answer({{"If-None-Match", "*"}}), "304 0+0");
  EXPECT_EQ(answer({{"If-None-Match", "\"x\""}}), "200 0+10");
  EXPECT_EQ(answer({{"If-None-Match", "\"x\""}, {"If-None-Match", ours}}), "304 0+0");
  const std::string date = http_date(kModified);
  EXPECT_EQ(answer({{"If-Modified-Since", date}}), "304 0+0");
  EXPECT_EQ(answer({{"If-Modified-Since", http_date(kModified - 1)}}), "200 0+10");
  EXPECT_EQ(answer({{"If-Modified-Since", "yesterday"}}), "200 0+10");
  EXPECT_EQ(answer({{"If-None-Match", "\"x\""}, {"If-Modified-Since", date}}), "200 0+10");
  EXPECT_EQ(answer({{"If-Match", ours}}), "200 0+10");
  EXPECT_EQ(answer({{"If-Match", "\"x\""}}), "412 0+0");
  EXPECT_EQ(answer({{"If-Match", "W/" + ours}}), "412 0+0");
  EXPECT_EQ(answer({{"If-Unmodified-Since", http_date(kModified - 1)}}), "412 0+0");
  EXPECT_EQ(answer({{"If-Unmodified-Since", date}}), "200 0+10");
}

TEST(FileResponse, IfRangeWantsTheSameFile) {
  const http::Field range{"Range", "bytes=0-1"};
  const std::string ours = tag();
  const std::string date = http_date(kModified);
  EXPECT_EQ(answer({range, {"If-Range", ours}}), "206 bytes 0-1/10 0+2");
  EXPECT_EQ(answer({range, {"If-Range", date}}), "206 bytes 0-1/10 0+2");
  for (const std::string& other :
       {std::string("\"x\""), "W/" + ours, std::string("*"), http_date(kModified + 1)}) {
    EXPECT_EQ(answer({range, {"If-Range", other}}), "200 0+10") << other;
  }
}

TEST(FileResponse, AYoungFileHasAWeakValidator) {
  constexpr std::int64_t kNow = kModified * kSecond + kSecond;
  const std::string ours = tag(kNow);
  EXPECT_THAT(ours, HasSubstr("W/\""));
  EXPECT_EQ(answer({{"If-None-Match", ours}}, "GET", kNow), "304 0+0");
  EXPECT_EQ(answer({{"Range", "bytes=0-1"}, {"If-Range", ours.substr(2)}}, "GET", kNow),
            "200 0+10");
  EXPECT_EQ(answer({{"Range", "bytes=0-1"}, {"If-Range", http_date(kModified)}}, "GET", kNow),
            "200 0+10");
}

TEST(HttpDate, AllThreeFormsAreRead) {
  EXPECT_EQ(http_date(kModified), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), kModified);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), kModified);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), kModified);
  for (const char* text : {"", "now", "Sun, 06 Nov 1994 08:49:37", "06 Nov 1994", "\"x\""}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

TEST(MediaType, FollowsTheEnding) {
  EXPECT_EQ(media_type_of_name("a/index.HTML"), "text/html; charset=utf-8");
  EXPECT_EQ(media_type_of_name("app.min.js"), "text/javascript; charset=utf-8");
  EXPECT_EQ(media_type_of_name("x.wasm"), "application/wasm");
  EXPECT_EQ(media_type_of_name("README"), "application/octet-stream");
  EXPECT_EQ(media_type_of_name("odd."), "application/octet-stream");
}

TEST(PublicFolder, PathsLeadBelowItOnly) {
  EXPECT_EQ(relative_path_of("/"), "index.html");
  EXPECT_EQ(relative_path_of("/a/"), "a/index.html");
  EXPECT_EQ(relative_path_of("/a/b%20c.txt"), "a/b c.txt");
  EXPECT_EQ(relative_path_of("/%252e"), "%2e");
  for (const char* path : {"", "a", "/..", "/a/../b", "/%2e%2e/x", "/.env", "/a/.git/x", "//",
                           "/a//b", "/a%2Fb", "/a%00", "/%zz", "/.", "*"}) {
    EXPECT_EQ(relative_path_of(path), std::nullopt) << path;
  }
}

Found::Kind kind_of(const TempFolder& folder, const std::string& relative) {
  return open_public_file(folder.path(), relative, Wait::allowed).kind;
}

TEST(PublicFolder, LinksStayInside) {
  const TempFolder folder;
  EXPECT_EQ(kind_of(folder, "a.txt"), Found::Kind::absent);
  folder.write("secret.wasm", "x");
  folder.write("public/a.txt", "a");
  folder.write("public/docs/index.html", "d");
  folder.write("public/about.html", "about");
  folder.make_folder("public/empty");
  folder.link("public/inside", "a.txt");
  folder.link("public/outside", "../secret.wasm");
  folder.link("public/absolute", "/etc/passwd");
  folder.link("public/loop", "loop");
  EXPECT_EQ(kind_of(folder, "a.txt"), Found::Kind::file);
  EXPECT_EQ(kind_of(folder, "inside"), Found::Kind::file);
  EXPECT_EQ(kind_of(folder, "docs"), Found::Kind::folder);
  EXPECT_EQ(kind_of(folder, "about"), Found::Kind::file);
  for (const char* relative :
       {"outside", "absolute", "loop", "empty", "../secret.wasm", "no", "a.txt/b"}) {
    EXPECT_EQ(kind_of(folder, relative), Found::Kind::absent) << relative;
  }
}

}  // namespace
}  // namespace funcd::files
