#include <gtest/gtest.h>

#include "contract/contract.h"
#include "registry/json_document.h"

namespace funcd::contract {
namespace {

TEST(ErrorResponse, PreciseHasStatusAndThreeMembers) {
  const http::Response response = error_response(
      {Reason::trap, "wasm `unreachable` \"executed\"\n"}, ErrorStyle::precise, "7-42");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.fields.bytes(), "funcd-error: trap\r\n");
  EXPECT_EQ(response.body, R"({"detail":"wasm `unreachable` \"executed\"\n","reason":"trap",)"
                           R"("invocation":"7-42"})");
}

TEST(ErrorResponse, EveryReasonHasItsStatus) {
  for (std::size_t i = 1; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    const http::Response precise = error_response({reason, "x"}, ErrorStyle::precise, "1");
    EXPECT_EQ(precise.status, status_of(reason));
    EXPECT_TRUE(registry::is_json(precise.body)) << precise.body;
    const http::Response plain = error_response({reason, "x"}, ErrorStyle::bad_request, "1");
    EXPECT_EQ(plain.status, 400);
    EXPECT_EQ(plain.body, R"({"detail":"Bad Request"})");
    EXPECT_EQ(plain.content_type, "application/json");
    const std::string header = "funcd-error: " + std::string(name_of(reason)) + "\r\n";
    EXPECT_TRUE(precise.fields.bytes().starts_with(header));
    EXPECT_TRUE(plain.fields.bytes().starts_with(header));
  }
}

TEST(ErrorResponse, FullServersSayWhenToRetry) {
  for (const Reason reason : {Reason::overloaded, Reason::building}) {
    for (const ErrorStyle style : {ErrorStyle::precise, ErrorStyle::bad_request}) {
      const http::Response response = error_response({reason, "x"}, style, "1");
      EXPECT_TRUE(response.fields.bytes().ends_with("retry-after: 1\r\n"));
    }
  }
  const http::Response other = error_response({Reason::time_limit, "x"}, ErrorStyle::precise, "1");
  EXPECT_EQ(other.fields.bytes(), "funcd-error: time-limit\r\n");
}

TEST(ErrorResponse, BytesThatAreNoTextAreReplaced) {
  const http::Response response =
      error_response({Reason::trap, "a\xFF\u00E9\xE3\x82"}, ErrorStyle::precise, "1");
  EXPECT_TRUE(response.body.starts_with("{\"detail\":\"a?\u00E9??\","));
}

TEST(ErrorResponse, FaultsOfTheServerKeepTheirDetailForTheLog) {
  const http::Response response =
      error_response({Reason::internal, "cannot open /srv/secret"}, ErrorStyle::precise, "1");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body.find("/srv"), std::string::npos);
}

}  // namespace
}  // namespace funcd::contract
