#include "invoke/component_run.h"

#include <gmock/gmock.h>

#include "engine/http_fixture.h"
#include "testing/dispatcher_fixture.h"

namespace funcd::invoke {
namespace {

using engine::http_component;
using registry::ContractKind;
using ::testing::HasSubstr;

// At 1048 of the fixture's memory is "hello"; a head of 14 bytes at 1024 names content-length, 10.
const std::string kBegin = "(local.set $a (call $begin (local.get $outparam) (call $fields)))";
const std::string kOpen = "(local.set $b (call $open (local.get $a)))";
const std::string kSay = "(drop (call $say (local.get $b) (i32.const 1048) (i32.const 5)))";
const std::string kClose = "(drop (call $close (local.get $a) (local.get $b)))";
const std::string kPause = "(call $sleep (i64.const 20000000))";
const std::string kSleep = "(call $sleep (i64.const 3600000000000))";
const std::string kDeclaresTen =
    "(local.set $c (call $fields))"
    "(call $field (local.get $c) (i32.const 1024) (i32.const 14) (i32.const 1040) (i32.const 2))"
    "(local.set $a (call $begin (local.get $outparam) (local.get $c)))";
const std::string kHear = "(local.set $c (call $incoming (local.get $request)))";
const std::string kEcho = kHear + kBegin + kOpen + R"(
  (block $end (loop $again
    (call $reset)
    (br_if $end (call $hear (local.get $c) (i32.const 4096)))
    (br_if $end (call $say (local.get $b) (call $heard) (call $heard_size)))
    (br $again))))" + kClose;
const std::string kPour = R"(
  (loop $again
    (br_if $again (i32.eqz (call $say (local.get $b) (i32.const 0) (i32.const 4096))))))";
const std::string kPours = kBegin + kOpen + kPour;

class ComponentRunTest : public DispatcherTest {
 protected:
  void serve_component(const std::string& body, registry::Limits limits = {}) {
    serve_one(http_component(body), ContractKind::wasi_http, limits);
  }
};

TEST_F(ComponentRunTest, AnAnswerInPiecesGoesAsAWholeWhenTheGuestDoesNotPause) {
  serve_component(kBegin + kOpen + kSay + kSay + kSay + kClose);
  ticker_ = {};  // nor is it interrupted
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  EXPECT_EQ(response_to(exchange).status, 200);
  EXPECT_EQ(exchange.response()->body, "hellohellohello");
  EXPECT_FALSE(exchange.is_begun());
  EXPECT_EQ(count(Reason::none), 1U);
  EXPECT_EQ(admission_.running(), 0U);
}

TEST_F(ComponentRunTest, AnAnswerGoesAsItComesWhenTheGuestPauses) {
  serve_component(kBegin + kOpen + kSay + kPause + kSay + kClose);
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_begun(); });
  EXPECT_EQ(exchange.streamed(), "hello");
  EXPECT_FALSE(exchange.is_ended());
  run_until([&] { return exchange.is_ended(); });
  EXPECT_EQ(exchange.streamed(), "hellohello");
}

TEST_F(ComponentRunTest, ADeclaredLengthIsTold) {
  serve_component(kDeclaresTen + kOpen + kSay + kPause + kSay + kClose);
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_ended(); });
  EXPECT_EQ(exchange.content_length(), 10U);
  FakeExchange head("HEAD", "/f");
  dispatcher_.on_request(head);
  run_until([&] { return head.response().has_value() && (!head.is_begun() || head.is_ended()); });
  EXPECT_EQ(head.is_begun() ? head.content_length() : head.response()->head_length, 10U);
}

TEST_F(ComponentRunTest, PartsComeBackAsTheyCome) {
  serve_component(kEcho);
  FakeExchange exchange("POST", "/f");
  exchange.expect_parts();
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_asked() && exchange.is_begun(); });
  exchange.give_part("one,");
  run_until([&] { return exchange.streamed() == "one," && exchange.is_asked(); });
  exchange.give_part("two");
  run_until([&] { return exchange.streamed() == "one,two" && exchange.is_asked(); });
  exchange.end_body();
  run_until([&] { return exchange.is_ended(); });
  EXPECT_EQ(count(Reason::none), 1U);
}

TEST_F(ComponentRunTest, AGuestThatDoesNotReadHoldsTheClientBack) {
  serve_component(kHear + kSleep);
  FakeExchange exchange("POST", "/f");
  exchange.expect_parts();
  dispatcher_.on_request(exchange);
  std::size_t parts = 0;
  constexpr std::size_t kPartBytes = 16 << 10;
  constexpr std::size_t kPartsMax = 4 * engine::HttpTask::kRequestBufferBytesMax / kPartBytes;
  for (; exchange.is_asked() && parts < kPartsMax; ++parts) {
    exchange.give_part(std::string(kPartBytes, 'x'));
    loop_.io().poll();
  }
  EXPECT_LT(parts, kPartsMax);
  exchange.hang_up();
  EXPECT_EQ(count(Reason::cancelled), 1U);
  EXPECT_EQ(admission_.running(), 0U);
}

TEST_F(ComponentRunTest, AClientThatDoesNotReadHoldsTheGuestBack) {
  serve_component(kPours);
  FakeExchange exchange("GET", "/f");
  exchange.is_stuck = true;
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_begun(); });
  const std::size_t sent = exchange.streamed().size();
  for (int i = 0; i < 100; ++i) loop_.io().poll();
  EXPECT_EQ(exchange.streamed().size(), sent);
  EXPECT_EQ(exchange.writes(), 0);
  exchange.take_written();
  EXPECT_EQ(exchange.writes(), 1);
  exchange.is_stuck = false;
  exchange.take_written();
  run_until([&] { return exchange.is_aborted(); });
  EXPECT_EQ(count(Reason::output_too_large), 1U);
}

TEST_F(ComponentRunTest, LongOutputKeepsToTheLimit) {
  constexpr std::uint64_t kLimit = 200'000;
  serve_component(kPours, {.response_body_bytes = kLimit});
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_aborted(); });
  EXPECT_LE(exchange.streamed().size(), kLimit);
  EXPECT_EQ(count(Reason::output_too_large), 1U);
}

TEST_F(ComponentRunTest, SmallPiecesLeaveTogether) {
  serve_component(kPours, {.response_body_bytes = 512 << 10});
  ticker_ = {};
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_aborted(); });
  EXPECT_GE(exchange.streamed().size(), std::size_t{256 << 10});
  EXPECT_LE(exchange.writes(), 16);  // the guest has written 4 KiB each time
}

// As much as waits to go as a whole is there when the guest is interrupted; the rest comes later.
TEST_F(ComponentRunTest, AnAnswerThatIsTooLongForAWholeGoesOnWithoutAPause) {
  std::string body = kBegin + kOpen;
  for (int piece = 0; piece < 16; ++piece) {
    body += "(drop (call $say (local.get $b) (i32.const 0) (i32.const 4096)))";
  }
  body +=
      "(loop $work (local.set $c (i32.add (local.get $c) (i32.const 1)))"
      " (br_if $work (i32.lt_u (local.get $c) (i32.const 10000000))))";
  serve_component(body + kPour, {.response_body_bytes = 200'000});
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_aborted(); });
  EXPECT_EQ(count(Reason::output_too_large), 1U);
}

struct Bad {
  const char* name;
  std::string body;
  int status;
  Reason reason;
  const char* detail;
};

class BadAnswer : public ComponentRunTest, public ::testing::WithParamInterface<Bad> {};

TEST_P(BadAnswer, BeforeTheHeadHasItsStatusAndReason) {
  const Bad& bad = GetParam();
  serve_component(bad.body, {.timeout = milliseconds(300)});
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  EXPECT_EQ(response_to(exchange).status, bad.status);
  EXPECT_FALSE(exchange.is_begun());
  EXPECT_THAT(exchange.response()->body, HasSubstr(bad.detail));
  EXPECT_EQ(count(bad.reason), 1U);
  EXPECT_EQ(admission_.running(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadAnswer,
    ::testing::Values(
        Bad{"Never", "", 502, Reason::bad_output, "it ended without an answer"},
        Bad{"Dropped", "(call $drop_outparam (local.get $outparam))", 502, Reason::bad_output,
            "dropped its response-outparam"},
        Bad{"DroppedAndAtWork", "(call $drop_outparam (local.get $outparam))" + kSleep, 502,
            Reason::bad_output, "dropped its response-outparam"},
        Bad{"ErrorCode", "(call $refuse (local.get $outparam) (i32.const 33))", 502,
            Reason::bad_output, "error code HTTP-response-timeout"},
        Bad{"Trap", "unreachable", 500, Reason::trap, "unreachable"},
        Bad{"Twice", "(drop (call $begin (local.get $outparam) (call $fields)))" + kBegin, 500,
            Reason::trap, ""},
        Bad{"TooShort", kDeclaresTen + kOpen + kSay + kClose, 502, Reason::bad_output,
            "ended after 5 of the 10 bytes"},
        Bad{"TooLong",
            kDeclaresTen + kOpen +
                "(drop (call $say (local.get $b) (i32.const 1056) (i32.const 12)))" + kClose,
            502, Reason::bad_output, "is longer than the 10 bytes"},
        Bad{"DroppedBody",
            kBegin + "(call $drop_stream (call $open (local.get $a)))"
                     "(call $drop_body (local.get $a))",
            502, Reason::bad_output, "its body"},
        Bad{"Loops", "(loop $again (br $again))", 504, Reason::time_limit, ""},
        Bad{"Sleeps", kSleep, 504, Reason::time_limit, ""}),
    [](const auto& each) { return each.param.name; });

class CutAnswer : public ComponentRunTest, public ::testing::WithParamInterface<Bad> {};

TEST_P(CutAnswer, AfterTheHeadIsCutShort) {
  const Bad& bad = GetParam();
  serve_component(bad.body, {.timeout = milliseconds(300)});
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_aborted(); });
  EXPECT_EQ(exchange.response()->status, 200);
  EXPECT_EQ(exchange.streamed(), "hello");
  EXPECT_EQ(count(bad.reason), 1U);
  EXPECT_EQ(admission_.running(), 0U);
}

const std::string kHello = kBegin + kOpen + kSay + kPause;
INSTANTIATE_TEST_SUITE_P(
    Each, CutAnswer,
    ::testing::Values(
        Bad{"Trap", kHello + "unreachable", 200, Reason::trap, ""},
        Bad{"Hangs", kHello + kSleep, 200, Reason::time_limit, ""},
        Bad{"Loops", kHello + "(loop $again (br $again))", 200, Reason::time_limit, ""},
        Bad{"Dropped",
            kHello + "(call $drop_stream (local.get $b)) (call $drop_body (local.get $a))", 200,
            Reason::bad_output, ""},
        Bad{"TooShort", kDeclaresTen + kOpen + kSay + kPause + kClose, 200, Reason::bad_output, ""},
        Bad{"Twice", kHello + kBegin, 200, Reason::trap, ""}),
    [](const auto& each) { return each.param.name; });

TEST_F(ComponentRunTest, ATrapAfterAWholeAnswerIsToldOfAndHarmsItNot) {
  serve_component(kBegin + kOpen + kSay + kClose + "unreachable");
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  EXPECT_EQ(response_to(exchange).status, 200);
  run_until([&] { return admission_.running() == 0; });
  EXPECT_EQ(exchange.is_begun() ? exchange.streamed() : exchange.response()->body, "hello");
  EXPECT_FALSE(exchange.is_aborted());
  EXPECT_EQ(count(Reason::trap), 1U);
}

TEST_F(ComponentRunTest, ABodyThatBreaksOffEndsTheGuest) {
  const std::vector<std::pair<http::BodyError, int>> errors = {
      {http::BodyError::too_large, 413},
      {http::BodyError::timed_out, 408},
      {http::BodyError::malformed, 400},
  };
  for (const auto& [error, status] : errors) {
    serve_component(kHear + "(drop (call $hear (local.get $c) (i32.const 10)))" + kSleep);
    FakeExchange exchange("POST", "/f");
    exchange.expect_parts();
    dispatcher_.on_request(exchange);
    run_until([&] { return exchange.is_asked(); });
    exchange.fail_body(error);
    EXPECT_EQ(response_to(exchange).status, status);
    EXPECT_EQ(admission_.running(), 0U);
  }
  serve_component(kEcho);
  FakeExchange exchange("POST", "/f");
  exchange.expect_parts();
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_begun() && exchange.is_asked(); });
  exchange.fail_body(http::BodyError::too_large);
  EXPECT_TRUE(exchange.is_aborted());
  EXPECT_EQ(count(Reason::request_too_large), 1U);
}

TEST_F(ComponentRunTest, ALostClientEndsTheGuestWhereverItIs) {
  for (const std::string& body : {kSleep, kHello + kSleep, kPours}) {
    serve_component(body);
    FakeExchange exchange("GET", "/f");
    exchange.is_stuck = true;
    dispatcher_.on_request(exchange);
    loop_.io().poll();
    exchange.hang_up();
    EXPECT_EQ(admission_.running(), 0U);
    EXPECT_EQ(count(Reason::cancelled), 1U);
  }
}

}  // namespace
}  // namespace funcd::invoke
