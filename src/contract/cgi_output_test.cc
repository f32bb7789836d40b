#include "contract/cgi_output.h"

#include <gtest/gtest.h>

namespace funcd::contract {
namespace {

http::Response response_of(std::string out) {
  EXPECT_EQ(start_of(out), OutputStart::header) << out;
  auto shaped = cgi_response(std::move(out), false);
  if (auto* failure = std::get_if<Failure>(&shaped)) {
    ADD_FAILURE() << failure->detail;
    return {};
  }
  return std::get<http::Response>(std::move(shaped));
}

std::string failure_of(std::string out) {
  EXPECT_EQ(start_of(out), OutputStart::header) << out;
  const auto shaped = cgi_response(std::move(out), false);
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
      "Content-Type: a/b\nContent-Length: 1\nConnection: close\nTransfer-Encoding: chunked\n"
      "Date: now\nKeep-Alive: 1\nfuncd-error: trap\nSet-Cookie: a=1\nSet-Cookie: b=2\n\nx");
  EXPECT_EQ(response.fields.bytes(), "Content-Type: a/b\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
  EXPECT_EQ(response.body, "x");
}

TEST(CgiOutput, ABodyHasTheLengthThatItDeclares) {
  EXPECT_EQ(response_of("Status: 200\nContent-Length: 2\n\nab").body, "ab");
  EXPECT_EQ(response_of("Status: 204\nContent-Length: 2\n\n").body, "");
  EXPECT_EQ(failure_of("Status: 200\nContent-Length: 3\n\nab"),
            "its body has 2 bytes, its Content-Length says 3");
  EXPECT_EQ(failure_of("Status: 200\nContent-Length: 1\n\nab"),
            "its body has 2 bytes, its Content-Length says 1");
  for (const char* length :
       {"x", "-1", "1 1", "99999999999999999999", "", "1\ncontent-length: 1"}) {
    EXPECT_NE(failure_of(std::string("Status: 200\nContent-Length:") + length + "\n\na"), "")
        << length;
  }
  auto head = cgi_response("Status: 200\nContent-Length: 3\n\n", true);
  EXPECT_EQ(std::get<http::Response>(head).head_length, 3U);
}

TEST(CgiOutput, ABeginningTellsAsSoonAsItCan) {
  for (const char* out : {"", "S", "Status", "Status:", "Status: 20", "Status: 200\r",
                          "Status: 1\n", "Status: 1\r\n\r", "any-token-so-far"}) {
    EXPECT_EQ(start_of(out), OutputStart::undecided) << out;
  }
  for (const char* out :
       {"{", "[1", "\"Status", "two words", "\n", "Status: 1\ntwo words", "<p>"}) {
    EXPECT_EQ(start_of(out), OutputStart::other) << out;
  }
  EXPECT_EQ(start_of(std::string(kCgiHeaderBytesMax, 'a')), OutputStart::other);
  EXPECT_EQ(start_of(std::string(kCgiHeaderBytesMax - 1, 'a')), OutputStart::undecided);
}

TEST(CgiOutput, ACutCharacterIsTextStill) {
  const auto type_of = [](std::string body) {
    return std::get<CgiOutput>(read_cgi("Status: 200\n\n" + body)).response.content_type;
  };
  EXPECT_EQ(type_of("a\xC3"), "text/plain; charset=utf-8");
  EXPECT_EQ(type_of("a\xE2\x82"), "text/plain; charset=utf-8");
  EXPECT_EQ(type_of("\xC3\x28 and more"), "application/octet-stream");
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
    EXPECT_NE(start_of(out), OutputStart::header) << out;
  }
}

TEST(CgiOutput, HeaderBlocksAreBounded) {
  const std::string status = "Status: 200\n";
  const std::string end = "\n";
  std::string fields;
  for (std::size_t i = 0; i + 2 < kCgiHeaderFieldsMax; ++i) fields += "a: b\n";
  EXPECT_EQ(start_of(status + fields + end), OutputStart::header);
  EXPECT_NE(start_of(status + fields + "a: b\n" + end), OutputStart::header);
  const std::string name = "a: ";
  const std::size_t room = kCgiHeaderBytesMax - status.size() - name.size() - 1 - end.size();
  EXPECT_EQ(start_of(status + name + std::string(room, 'x') + "\n" + end), OutputStart::header);
  EXPECT_NE(start_of(status + name + std::string(room + 1, 'x') + "\n" + end), OutputStart::header);
}

TEST(CgiOutput, RawOutputIsTextOrBytes) {
  EXPECT_EQ(raw_response("h\u00E9llo").content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(raw_response("\xFF").content_type, "application/octet-stream");
  EXPECT_EQ(raw_response("x\n").body, "x\n");
  EXPECT_EQ(raw_response("x").status, 200);
}

}  // namespace
}  // namespace funcd::contract
