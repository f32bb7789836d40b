#include "invoke/command_run.h"

#include <gmock/gmock.h>

#include "testing/dispatcher_fixture.h"

namespace funcd::invoke {
namespace {

using registry::ContractKind;
using ::testing::HasSubstr;

// A guest with $say(address, size) for stdout, $hear() which reads to 1024 up to 64 KiB and says
// how much, and $sleep() for an hour.
std::string guest(const std::string& body, const std::string& data = "Status: 201\\n\\n") {
  return R"((module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 3)
  (data (i32.const 512) ")" +
         data + R"(")
  (func $say (param $at i32) (param $size i32)
    (block $done (loop $more
      (br_if $done (i32.eqz (local.get $size)))
      (i32.store (i32.const 0) (local.get $at))
      (i32.store (i32.const 4) (local.get $size))
      (br_if $done (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
      (local.set $size (i32.sub (local.get $size) (i32.load (i32.const 8))))
      (br $more))))
  (func $hear (result i32)
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 65536))
    (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
    (i32.load (i32.const 8)))
  (func $sleep
    (i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (i64.const 3600000000000))
    (i32.store (i32.const 32) (i32.const 0)) (i64.store (i32.const 40) (i64.const 3600000000000))
    (drop (call $poll (i32.const 16) (i32.const 64) (i32.const 1) (i32.const 128))))
  (func (export "_start") (local $n i32) )" +
         body + "))";
}

const std::string kHead = "(call $say (i32.const 512) (i32.const 13))";
const std::string kEcho = kHead + R"(
  (block $done (loop $more
    (br_if $done (i32.eqz (local.tee $n (call $hear))))
    (call $say (i32.const 1024) (local.get $n))
    (br $more))))";
const std::string kPours =
    kHead + "(loop $l (call $say (i32.const 1024) (i32.const 65536)) (br $l))";

class CommandRunTest : public DispatcherTest {
 protected:
  void serve_cgi(const std::string& module, registry::Limits limits = {}) {
    serve_one(module, ContractKind::cgi, limits);
  }
};

TEST_F(CommandRunTest, AResponseBeginsWhenTheGuestPausesBehindItsHeader) {
  serve_cgi(
      guest("(call $say (i32.const 512) (i32.const 17)) (call $sleep)", "Status: 201\\n\\nbody"));
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_begun(); });
  EXPECT_EQ(exchange.response()->status, 201);
  EXPECT_EQ(exchange.streamed(), "body");
  EXPECT_FALSE(exchange.is_ended());
  exchange.hang_up();
  EXPECT_EQ(count(Reason::cancelled), 1U);
  EXPECT_EQ(admission_.running(), 0U);
}

TEST_F(CommandRunTest, AResponseThatIsWholeAtOnceGoesWithItsLength) {
  serve_cgi(guest(kHead));
  ticker_ = {};  // under a sanitizer it takes long
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  EXPECT_EQ(response_to(exchange).status, 201);
  EXPECT_FALSE(exchange.is_begun());
}

TEST_F(CommandRunTest, AGuestThatComputesForLongHasItsHeadSent) {
  serve_cgi(guest(kHead + "(loop $l (br $l))"), {.timeout = milliseconds(200)});
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_begun(); });
  EXPECT_FALSE(exchange.is_aborted());
  run_until([&] { return exchange.is_aborted(); });
  EXPECT_EQ(count(Reason::time_limit), 1U);
}

TEST_F(CommandRunTest, PartsComeBackAsTheyCome) {
  serve_cgi(guest(kEcho));
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

TEST_F(CommandRunTest, AGuestThatDoesNotReadHoldsTheClientBack) {
  serve_cgi(guest(kHead + "(call $sleep)"));
  FakeExchange exchange("POST", "/f");
  exchange.expect_parts();
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_begun(); });
  exchange.give_part("one");
  loop_.io().poll();
  EXPECT_FALSE(exchange.is_asked());
  exchange.hang_up();
}

TEST_F(CommandRunTest, AClientThatDoesNotReadHoldsTheGuestBack) {
  serve_cgi(guest(kPours));
  FakeExchange exchange("GET", "/f");
  exchange.is_stuck = true;
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_begun(); });
  loop_.io().poll();
  const std::size_t sent = exchange.streamed().size();
  EXPECT_LE(sent, 2 * PipedStdio::kPipeBytesMax);
  EXPECT_EQ(exchange.writes(), 0);
  exchange.take_written();
  EXPECT_EQ(exchange.writes(), 1);
  EXPECT_LE(exchange.streamed().size(), sent + http::Exchange::kWriteBytesMax);
  exchange.is_stuck = false;
  exchange.take_written();
  run_until([&] { return exchange.is_aborted(); });
  EXPECT_EQ(count(Reason::output_too_large), 1U);
}

TEST_F(CommandRunTest, AClientThatReadsAgainWhileItsBodyIsAskedForIsNotForgotten) {
  // The guest has read all of a part and filled the pipe when the next part is asked for.
  serve_cgi(guest(kHead + "(drop (call $hear))" + kPours));
  FakeExchange exchange("POST", "/f");
  exchange.expect_parts();
  exchange.is_stuck = true;
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_begun() && exchange.is_asked(); });
  exchange.is_read_when_asked = true;
  exchange.give_part("x");
  run_until([&] { return exchange.is_aborted(); });
  EXPECT_EQ(count(Reason::output_too_large), 1U);
}

TEST_F(CommandRunTest, LongOutputKeepsToTheLimit) {
  constexpr std::uint64_t kLimit = 200'000;
  serve_cgi(guest(kPours), {.response_body_bytes = kLimit});
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_aborted(); });
  EXPECT_LE(exchange.streamed().size(), kLimit);
  EXPECT_EQ(count(Reason::output_too_large), 1U);
}

TEST_F(CommandRunTest, ATrapAfterTheHeadCutsTheResponseShort) {
  serve_cgi(guest(kHead + "(drop (call $hear)) unreachable"));
  FakeExchange exchange("POST", "/f");
  exchange.expect_parts();
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_begun() && exchange.is_asked(); });
  exchange.give_part("x");
  run_until([&] { return exchange.is_aborted(); });
  EXPECT_EQ(count(Reason::trap), 1U);
}

TEST_F(CommandRunTest, ABodyOfAnotherLengthThanDeclaredIsCutShort) {
  const std::string head = "Status: 200\\ncontent-length: 2\\n\\n";
  serve_cgi(
      guest("(call $say (i32.const 512) (i32.const 31)) (drop (call $hear))"
            "(call $say (i32.const 1024) (i32.const 3))",
            head));
  FakeExchange exchange("POST", "/f");
  exchange.expect_parts();
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_begun() && exchange.is_asked(); });
  EXPECT_EQ(exchange.content_length(), 2U);
  exchange.give_part("x");
  run_until([&] { return exchange.is_aborted(); });
  EXPECT_EQ(exchange.streamed(), "");
  EXPECT_EQ(count(Reason::bad_output), 1U);
}

TEST_F(CommandRunTest, ABodyThatBreaksOffEndsTheGuest) {
  const std::vector<std::pair<http::BodyError, int>> errors = {
      {http::BodyError::too_large, 413},
      {http::BodyError::timed_out, 408},
      {http::BodyError::malformed, 400},
  };
  for (const auto& [error, status] : errors) {
    serve_cgi(guest("(drop (call $hear)) (drop (call $hear))" + kHead));
    FakeExchange exchange("POST", "/f");
    exchange.expect_parts();
    dispatcher_.on_request(exchange);
    run_until([&] { return exchange.is_asked(); });
    exchange.fail_body(error);
    EXPECT_EQ(response_to(exchange).status, status);
    EXPECT_EQ(admission_.running(), 0U);
  }
}

TEST_F(CommandRunTest, ABodyThatBreaksOffAfterTheHeadCutsTheResponseShort) {
  serve_cgi(guest(kEcho));
  FakeExchange exchange("POST", "/f");
  exchange.expect_parts();
  dispatcher_.on_request(exchange);
  run_until([&] { return exchange.is_asked() && exchange.is_begun(); });
  exchange.fail_body(http::BodyError::too_large);
  EXPECT_TRUE(exchange.is_aborted());
  EXPECT_EQ(count(Reason::request_too_large), 1U);
}

TEST_F(CommandRunTest, NothingOfABodyIsReadBeforeThereIsAPlace) {
  serve_cgi(guest(kEcho), {.concurrency = 1});
  FakeExchange first("POST", "/f");
  FakeExchange second("POST", "/f");
  for (FakeExchange* each : {&first, &second}) {
    each->expect_parts();
    dispatcher_.on_request(*each);
  }
  EXPECT_TRUE(first.is_asked());
  EXPECT_FALSE(second.is_asked());
  first.hang_up();
  run_until([&] { return second.is_asked(); });
  second.end_body();
  EXPECT_EQ(response_to(second).status, 201);
}

TEST_F(CommandRunTest, AHeaderThatIsNoneIsToldBeforeAnythingIsSent) {
  serve_cgi(guest("(call $say (i32.const 512) (i32.const 13)) (call $sleep)", "Status: 700\\n\\n"));
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  EXPECT_EQ(response_to(exchange).status, 502);
  EXPECT_THAT(exchange.response()->body, HasSubstr("bad-output"));
}

}  // namespace
}  // namespace funcd::invoke
