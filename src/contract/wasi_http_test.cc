#include "contract/wasi_http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace funcd::contract {
namespace {

using ::testing::HasSubstr;

TEST(WasiHttp, ARequestKeepsWhatWasSent) {
  const std::string_view target = "/a%20b?c=d&e";
  const std::array<http::Field, 2> fields = {{{"X-A", "1"}, {"x-a", "2"}}};
  http::RequestHead head;
  head.method = "PUT";
  head.target = target;
  head.path = target.substr(0, 6);
  head.query = target.substr(7);
  head.host = "example.com:81";
  head.fields = fields;
  head.has_body = true;
  std::vector<engine::HttpRequestHead::Field> storage;
  const engine::HttpRequestHead request = component_request(head, storage);
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.authority, "example.com:81");
  EXPECT_EQ(request.path_with_query, target);
  ASSERT_EQ(request.fields.size(), 2U);
  EXPECT_EQ(request.fields[1].value, "2");
  EXPECT_TRUE(request.has_body);
  head.query = {};
  storage.clear();
  EXPECT_EQ(component_request(head, storage).path_with_query, "/a%20b");
}

TEST(WasiHttp, AResponseIsCheckedBeforeItIsSent) {
  engine::HttpResponseHead head;
  head.status = 404;
  head.fields = {{"x-a", "1"}, {"x-a", "2"}, {"funcd-error", "trap"}, {"connection", "close"}};
  auto good = component_response(head);
  ASSERT_TRUE(std::holds_alternative<http::Response>(good));
  EXPECT_EQ(std::get<http::Response>(good).status, 404);
  EXPECT_EQ(std::get<http::Response>(good).fields.bytes(), "x-a: 1\r\nx-a: 2\r\n");
  for (const int status : {100, 103, 199, 600, 0}) {
    auto bad = component_response({.status = status, .fields = {}, .content_length = {}});
    ASSERT_TRUE(std::holds_alternative<Failure>(bad)) << status;
    EXPECT_EQ(std::get<Failure>(bad).reason, Reason::bad_output);
  }
  head.fields = {{"x-a", "1\r\nset-cookie: evil=1"}};
  auto split = component_response(head);
  ASSERT_TRUE(std::holds_alternative<Failure>(split));
  EXPECT_THAT(std::get<Failure>(split).detail, HasSubstr("x-a"));
}

TEST(WasiHttp, TrailersThatCannotBeSentAreLeftOut) {
  EXPECT_EQ(component_trailers({{"x-sum", "5"}, {"content-length", "7"}, {"x-b", "a\nb"}}).bytes(),
            "x-sum: 5\r\n");
}

}  // namespace
}  // namespace funcd::contract
