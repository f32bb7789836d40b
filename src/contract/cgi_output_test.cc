#include "contract/cgi_output.h"

#include <gtest/gtest.h>

namespace funcd::contract {
namespace {

http::Response response_of(std::string out) {
  EXPECT_TRUE(has_cgi_header(out)) << out;
  auto shaped = cgi_response(std::move(out));
  if (auto* failure = std::get_if<Failure>(&shaped)) {
    ADD_FAILURE() << failure->detail;
    return {};
  }
  return std::get<http::Response>(std::move(shaped));
}

std::string failure_of(std::string out) {
  EXPECT_TRUE(has_cgi_header(out)) << out;
  const auto shaped = cgi_response(std::move(out));
  const auto* failure = std::get_if<Failure>(&shaped);
  if (failure == nullptr) return "";
  EXPECT_EQ(failure->reason, Reason::bad_output);
  return failure->detail;
}

TEST(CgiOutput, HeaderAndBody) {
  for (const char* out : {"Content-Type: text/html\nX-A:  1 \n\n<p>\n\n</p>",
                          "Content-Type: text/html\r\nX-A: 1\r\n\r\n<p>\n\n</p>"}) {
    const http::Response response = response_of(out);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.content_type, "");
    EXPECT_EQ(response.fields.bytes(), "Content-Type: text/html\r\nX-A: 1\r\n");
    EXPECT_EQ(response.body, "<p>\n\n</p>");
  }
}

TEST(CgiOutput, StatusWithAndWithoutPhrase) {
  EXPECT_EQ(response_of("Status: 404 Not Found\n\nno").status, 404);
  EXPECT_EQ(response_of("status:599\n\n").status, 599);
  EXPECT_EQ(response_of("Status: 200\n\n").status, 200);
  for (const char* status :
       {"199", "100", "600", "999", "0", "abc", "", "20", "2000", "-200", "+200", "200x", "0x1"}) {
    EXPECT_EQ(failure_of("Status: " + std::string(status) + "\n\n"),
              "its Status is no number from 200 to 599")
        << status;
  }
}

TEST(CgiOutput, LocationRedirects) {
  const http::Response local = response_of("Location: /other?x=1\n\n");
  EXPECT_EQ(local.status, 302);
  EXPECT_EQ(local.fields.bytes(), "Location: /other?x=1\r\n");
  EXPECT_EQ(response_of("Location: https://example.com/\n\n").status, 302);
  EXPECT_EQ(response_of("Location: /new\nStatus: 201 Created\n\n").status, 201);
}

TEST(CgiOutput, BodyWithoutATypeGetsOne) {
  EXPECT_EQ(response_of("Status: 200\n\ntext").content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(response_of("Status: 200\n\n\xFF").content_type, "application/octet-stream");
  EXPECT_EQ(response_of("Status: 200\n\n").content_type, "");
}

TEST(CgiOutput, StatusesWithoutABodyHaveNone) {
  EXPECT_EQ(response_of("Status: 204\n\nbody").body, "");
  EXPECT_EQ(response_of("Status: 304\n\nbody").body, "");
}

TEST(CgiOutput, FieldsOfTheServerAreLeftOut) {
  const http::Response response = response_of(
      "Content-Type: a/b\nContent-Length: 999\nConnection: close\nTransfer-Encoding: chunked\n"
      "Date: now\nKeep-Alive: 1\nfuncd-error: trap\nSet-Cookie: a=1\nSet-Cookie: b=2\n\nx");
  EXPECT_EQ(response.fields.bytes(), "Content-Type: a/b\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
  EXPECT_EQ(response.body, "x");
}

TEST(CgiOutput, ResponsesCannotBeSplit) {
  EXPECT_NE(failure_of("Status: 200\nX: a\rInjected: 1\n\n"), "");
  EXPECT_NE(failure_of(std::string("Status: 200\nX: a\0b\n\n", 20)), "");
  EXPECT_NE(failure_of("Content-Type: a\x7F\n\n"), "");
}

TEST(CgiOutput, FieldsOfCgiStandOnce) {
  EXPECT_EQ(failure_of("Status: 200\nstatus: 404\n\n"), "its header block has status twice");
  EXPECT_EQ(failure_of("Content-Type: a/b\nContent-Type: a/c\n\n"),
            "its header block has Content-Type twice");
}

TEST(CgiOutput, WhatIsNoHeaderBlock) {
  for (const std::string& out :
       {std::string(), std::string("hello\n\nworld"), std::string("note: this\n\nis prose"),
        std::string("Status: 200\n"), std::string("Status: 200"), std::string("\nStatus: 200\n\n"),
        std::string("Status: 200\nno colon\n\n"), std::string("Status: 200\n folded\n\n"),
        std::string("Status : 200\n\n"), std::string(": x\nStatus: 200\n\n"),
        std::string("St\xFF: x\nStatus: 200\n\n"), std::string("{\"Status\": 1}\n\n")}) {
    EXPECT_FALSE(has_cgi_header(out)) << out;
  }
}

TEST(CgiOutput, HeaderBlocksAreBounded) {
  const std::string status = "Status: 200\n";
  const std::string end = "\n";
  std::string fields;
  for (std::size_t i = 0; i + 2 < kCgiHeaderFieldsMax; ++i) fields += "a: b\n";
  EXPECT_TRUE(has_cgi_header(status + fields + end));
  EXPECT_FALSE(has_cgi_header(status + fields + "a: b\n" + end));
  const std::string name = "a: ";
  const std::size_t room = kCgiHeaderBytesMax - status.size() - name.size() - 1 - end.size();
  EXPECT_TRUE(has_cgi_header(status + name + std::string(room, 'x') + "\n" + end));
  EXPECT_FALSE(has_cgi_header(status + name + std::string(room + 1, 'x') + "\n" + end));
}

TEST(CgiOutput, RawOutputIsTextOrBytes) {
  EXPECT_EQ(raw_response("h\u00E9llo").content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(raw_response("\xFF").content_type, "application/octet-stream");
  EXPECT_EQ(raw_response("x\n").body, "x\n");
  EXPECT_EQ(raw_response("x").status, 200);
}

}  // namespace
}  // namespace funcd::contract
