#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/test_call.h"
#include "contract/wws_input.h"
#include "contract/wws_output.h"

namespace funcd::contract {
namespace {

using ::testing::HasSubstr;

std::string document_of(TestCall& test, const storage::KvMap* kv = nullptr) {
  std::string out;
  Call call = test.call();
  call.kv = kv;
  const auto failure = append_wws_document(call, out);
  return failure ? std::string(name_of(failure->reason)) + ": " + failure->detail : out;
}

TEST(WwsInput, ARequestIsADocument) {
  TestCall test;
  test.head.method = "POST";
  test.head.path = "/hello/a%20b";
  test.head.query = "q=1";
  test.fields = {
      {"X-One", "1"}, {"Accept", "a"}, {"accept", "b"}, {"Cookie", "a=1"}, {"cookie", "b=2"}};
  test.params = {{"id", "a b"}};
  test.body = "say \"hi\"\n";
  const storage::KvMap kv = {{"n", "1"}};
  EXPECT_EQ(document_of(test, &kv),
            R"({"url":"http://127.0.0.1:8000/hello/a%20b?q=1","method":"POST",)"
            R"("headers":{"accept":"a, b","cookie":"a=1; b=2","x-one":"1"},)"
            R"("body":"say \"hi\"\n","base64":false,"params":{"id":"a b"},"kv":{"n":"1"}})");
}

TEST(WwsInput, BytesThatAreNoTextSurvive) {
  TestCall test;
  test.fields = {{"x", "caf\xE9"}, {"y", "caf\xC3\xA9"}};
  test.body = std::string("\xFF\0\x01", 3);
  const std::string document = document_of(test);
  EXPECT_THAT(document, HasSubstr("\"x\":\"caf\u00E9\",\"y\":\"caf\u00E9\""));
  EXPECT_THAT(document, HasSubstr(R"("body":"/wAB","base64":true)"));
  test.params = {{"id", "\xFF"}};
  EXPECT_EQ(document_of(test), "bad-request: the path's 'id' is no UTF-8");
}

std::string failure_of(std::string_view out) {
  const auto answer = wws_answer(out, {});
  const auto* failure = std::get_if<Failure>(&answer);
  if (failure == nullptr) return "";
  EXPECT_EQ(failure->reason, Reason::bad_output);
  return failure->detail;
}

TEST(WwsOutput, AnAnswerIsAResponse) {
  const auto answer = std::get<WwsAnswer>(wws_answer(
      R"( {"data":"<p>é","headers":{"x_under":"1","Set-Cookie":["a=1","b=2"]},"status":201,"more":[]} )",
      {}));
  EXPECT_EQ(answer.response.status, 201);
  EXPECT_EQ(answer.response.body, "<p>é");
  EXPECT_EQ(answer.response.content_type, "text/html; charset=utf-8");
  EXPECT_EQ(answer.response.fields.bytes(), "x_under: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
  EXPECT_TRUE(answer.kv.is_empty());
}

TEST(WwsOutput, Base64IsDecoded) {
  const auto answer = std::get<WwsAnswer>(
      wws_answer(R"({"data":"/wAB","base64":true,"headers":{"content-type":"image/png"}})", {}));
  EXPECT_EQ(answer.response.body, std::string("\xFF\0\x01", 3));
  EXPECT_EQ(answer.response.content_type, "");
  EXPECT_EQ(answer.response.fields.bytes(), "content-type: image/png\r\n");
}

TEST(WwsOutput, TheStoreChangesByWhatDiffers) {
  const auto answer = std::get<WwsAnswer>(
      wws_answer(R"({"kv":{"same":"1","new":"2"}})", {{"same", "1"}, {"gone", "3"}}));
  EXPECT_EQ(answer.kv.set, (std::vector<std::pair<std::string, std::string>>{{"new", "2"}}));
  EXPECT_EQ(answer.kv.removed, std::vector<std::string>{"gone"});
  EXPECT_TRUE(std::get<WwsAnswer>(wws_answer(R"({"kv":null})", {{"a", "1"}})).kv.is_empty());
}

TEST(WwsOutput, AStatusIsAWholeNumberHoweverItIsWritten) {
  for (const char* status : {"201", "201.0", "2.01e2"}) {
    const auto answer = wws_answer(fmt::format("{{\"status\":{}}}", status), {});
    ASSERT_TRUE(std::holds_alternative<WwsAnswer>(answer)) << status;
    EXPECT_EQ(std::get<WwsAnswer>(answer).response.status, 201) << status;
  }
}

TEST(WwsOutput, WhatIsNoAnswerIsRefused) {
  EXPECT_EQ(failure_of(""), "it printed what is no JSON");
  EXPECT_EQ(failure_of("<p>hello"), "it printed what is no JSON");
  EXPECT_EQ(failure_of("[]"), "it printed JSON that is no object");
  EXPECT_EQ(failure_of(R"({"data":"\ud800"})"), "its output holds half of a surrogate pair");
  for (const char* status :
       {"99", "199", "600", "\"200\"", "200.5", "6e2", "-200", "-200.0", "true", "1000"}) {
    EXPECT_EQ(failure_of(fmt::format("{{\"status\":{}}}", status)),
              "its status is no number from 200 to 599");
  }
  EXPECT_EQ(failure_of(R"({"data":1})"), "its data is no string");
  EXPECT_EQ(failure_of(R"({"data":"a","base64":true})"),
            "its data is no base64, though it says so");
  EXPECT_EQ(failure_of(R"({"base64":1})"), "its base64 is neither true nor false");
  EXPECT_EQ(failure_of(R"({"headers":[]})"), "its headers are no object");
  EXPECT_EQ(failure_of(R"({"headers":{"a":1}})"), "its header a has a value that is no string");
  for (const char* header : {R"("a":"b\r\nc: d")", R"("a b":"c")", R"("a\n":"c")", R"("":"c")",
                             R"("a":["ok","\u0000"])"}) {
    EXPECT_EQ(failure_of(fmt::format("{{\"headers\":{{{}}}}}", header)),
              "a name or a value in its headers is none that HTTP knows");
  }
  EXPECT_EQ(failure_of(R"({"kv":[]})"), "its kv is no object");
  EXPECT_EQ(failure_of(R"({"kv":{"a":1}})"), "its kv has a value that is no string");
}

TEST(WwsOutput, FieldsOfTheServerAreItsOwn) {
  const auto answer = std::get<WwsAnswer>(wws_answer(
      R"({"headers":{"content-length":"9","funcd-error":"x","Connection":"close"},"status":204,"data":"x"})",
      {}));
  EXPECT_EQ(answer.response.fields.bytes(), "");
  EXPECT_EQ(answer.response.body, "");
}

}  // namespace
}  // namespace funcd::contract
