#include "http/response_writer.h"

#include <gtest/gtest.h>

#include <string>

namespace funcd::http {
namespace {

TEST(DateField, IsAsTheStandardWritesIt) {
  DateField date;
  EXPECT_EQ(date.at(784111777), "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  EXPECT_EQ(date.at(784111777), "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  EXPECT_EQ(date.at(784111778), "date: Sun, 06 Nov 1994 08:49:38 GMT\r\n");
  EXPECT_EQ(date.at(0), "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
}

TEST(ResponseWriter, AppendsToWhatIsThere) {
  Response response;
  response.content_type = "text/html";
  response.body = "12345";
  ASSERT_TRUE(response.fields.add("x-a", "b"));
  ByteBuffer out;
  out.append("before");
  EXPECT_EQ(write_head(response, {.content_length = 5, .date_field = "date: d\r\n"}, out),
            BodyFraming::length);
  EXPECT_EQ(out.view(),
            "beforeHTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-type: text/html\r\n"
            "date: d\r\nx-a: b\r\n\r\n");
}

TEST(ResponseWriter, FieldsOfAnyLengthFit) {
  Response response;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(response.fields.add("x", std::string(100, 'y')));
  ByteBuffer out;
  EXPECT_EQ(write_head(response, {.is_http_1_0 = true, .date_field = ""}, out),
            BodyFraming::until_close);
  EXPECT_TRUE(out.view().ends_with("yyy\r\n\r\n"));
  EXPECT_GT(out.size(), 105'000U);
}

}  // namespace
}  // namespace funcd::http
