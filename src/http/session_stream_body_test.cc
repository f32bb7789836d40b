// Bodies of requests in parts.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/stream_fixture.h"

namespace funcd::http {
namespace {

using std::chrono::milliseconds;
using testing::Client;
using testing::get;
using testing::kEnd;
using testing::kEndAnswer;
using testing::post;
using testing::Streamer;
using testing::StreamServer;
using testing::text_response;
using testing::without_dates;

TEST(SessionStream, ABodyComesInParts) {
  StreamServer server;
  Client client(server);
  client.send(post("content-length: 6\r\n"));
  server.wait_for_request();
  Streamer& streamer = server.streamer;
  streamer.exchange->stream_body(6);
  client.send("ab");
  server.settle();
  EXPECT_TRUE(streamer.parts.empty()) << "before it was asked for";
  streamer.exchange->more_body();
  ASSERT_TRUE(server.run_until([&] { return streamer.parts.size() == 1; }));
  client.send_alone("cd");
  EXPECT_EQ(streamer.parts.size(), 1U);
  streamer.exchange->more_body();
  ASSERT_EQ(streamer.parts.size(), 2U);
  streamer.exchange->more_body();
  client.send("ef" + std::string(kEnd));
  ASSERT_TRUE(server.run_until([&] { return streamer.parts.size() == 3; }));
  streamer.exchange->more_body();
  EXPECT_EQ(streamer.parts, (std::vector<std::string>{"ab", "cd", "ef"}));
  EXPECT_TRUE(streamer.is_body_ended);
  std::exchange(streamer.exchange, nullptr)->respond(text_response("ok"));
  EXPECT_EQ(without_dates(client.read_to_end()),
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok" +
                std::string(kEndAnswer));
}

TEST(SessionStream, TrailersAreThereOnceABodyHasEnded) {
  StreamServer server;
  Client client(server);
  client.send(post("transfer-encoding: chunked\r\n"));
  server.wait_for_request();
  Streamer& streamer = server.streamer;
  server.read_all();
  client.send("1\r\na\r\n0\r\nx-sum: a lo");
  server.settle();
  EXPECT_TRUE(streamer.exchange->trailers().empty()) << "before the end";
  client.send("ng sum\r\nhost: evil\r\nX-Sum:\r\nAuthorization: me\r\n\r\n");
  ASSERT_TRUE(server.run_until([&] { return streamer.is_body_ended; }));
  // What arrives now takes the place of what they came in.
  client.send(std::string(kEnd));
  server.settle();
  const auto trailers = streamer.exchange->trailers();
  ASSERT_EQ(trailers.size(), 2U);
  EXPECT_EQ(trailers[0].name, "x-sum");
  EXPECT_EQ(trailers[0].value, "a long sum");
  EXPECT_EQ(trailers[1].name, "X-Sum");
  EXPECT_EQ(trailers[1].value, "");
}

TEST(SessionStream, WhatComesWithTheHeadIsAPart) {
  StreamServer server;
  Client client(server);
  server.on_stream = [&] {
    Streamer& streamer = server.streamer;
    streamer.is_body_ended = false;
    streamer.exchange->stream_body(1 << 20);
    streamer.then = [&streamer] {
      if (!streamer.is_body_ended) return streamer.exchange->more_body();
      std::exchange(streamer.exchange, nullptr)->respond(text_response("ok"));
    };
    streamer.exchange->more_body();
  };
  client.send(post("content-length: 3\r\n") + "abc" + post("transfer-encoding: chunked\r\n") +
              "3\r\ndef\r\n2\r\ngh\r\n0\r\n\r\n" + get() + std::string(kEnd));
  const std::string answers = client.read_to_end();
  EXPECT_EQ(server.streamer.body(), "abcdefgh");
  EXPECT_TRUE(without_dates(answers).ends_with("\r\n\r\nok" + std::string(kEndAnswer)));
  EXPECT_EQ(server.handler.requests, 4);
}

TEST(SessionStream, MemoryDoesNotFollowTheBody) {
  for (const bool is_chunked : {false, true}) {
    StreamServer server;
    Client client(server);
    constexpr std::size_t kBytes = 4 << 20;
    client.send(post(is_chunked ? "transfer-encoding: chunked\r\n"
                                : "content-length: " + std::to_string(kBytes) + "\r\n"));
    server.wait_for_request();
    server.streamer.exchange->stream_body(kBytes);
    std::string piece(16 << 10, 'x');
    std::size_t received = 0;
    const auto take = [&] {
      for (const std::string& part : server.streamer.parts) received += part.size();
      server.streamer.parts.clear();
    };
    // One part is held for some time, again and again.
    for (std::size_t sent = 0; sent < kBytes; sent += piece.size()) {
      client.send(is_chunked ? "4000\r\n" + piece + "\r\n" : piece);
      server.settle();
      server.streamer.exchange->more_body();
      ASSERT_TRUE(server.run_until([&] { return !server.streamer.parts.empty(); }));
      take();
    }
    if (is_chunked) client.send("0\r\n\r\n");
    server.read_all_from_now();
    ASSERT_TRUE(server.run_until([&] { return server.streamer.is_body_ended; }));
    take();
    EXPECT_EQ(received, kBytes);
    EXPECT_LE(server.streamer.part_bytes_max, 64U << 10);
    std::exchange(server.streamer.exchange, nullptr)->respond(text_response("ok"));
    client.send(kEnd);
    EXPECT_TRUE(without_dates(client.read_to_end()).ends_with(kEndAnswer));
  }
}

TEST(SessionStream, TheClientIsHeldBackWhileNobodyAsks) {
  StreamServer server;
  Client client(server);
  client.send(post("content-length: 100000000\r\n"));
  server.wait_for_request();
  server.streamer.exchange->stream_body(100'000'000);
  const std::string piece(64 << 10, 'x');
  // Until the kernel takes no more.
  while (client.send_now(piece)) server.settle();
  server.settle();
  EXPECT_LE(server.bytes_in(), 32U << 10);
  EXPECT_TRUE(server.streamer.parts.empty());
}

TEST(SessionStream, TooLargeIsSaidBeforeAnythingIsRead) {
  StreamServer server;
  Client client(server);
  client.send(post("content-length: 7\r\nexpect: 100-continue\r\n"));
  server.wait_for_request();
  server.streamer.exchange->stream_body(6);
  EXPECT_EQ(server.streamer.error, BodyError::too_large);
  std::exchange(server.streamer.exchange, nullptr)->respond(text_response("no", 413));
  EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 413 "));
}

TEST(SessionStream, AChunkedBodyIsTooLargeWhenItIs) {
  StreamServer server;
  Client client(server);
  client.send(post("transfer-encoding: chunked\r\n") + "4\r\nabcd\r\n");
  server.wait_for_request();
  server.read_all(6);
  ASSERT_TRUE(server.run_until([&] { return server.streamer.body() == "abcd"; }));
  client.send("3\r\nefg\r\n0\r\n\r\n");
  ASSERT_TRUE(server.run_until([&] { return server.streamer.error.has_value(); }));
  EXPECT_EQ(server.streamer.error, BodyError::too_large);
  std::exchange(server.streamer.exchange, nullptr)->respond(text_response("no", 413));
  EXPECT_NE(client.read_to_end().find("connection: close"), std::string::npos);
}

TEST(SessionStream, ABadChunkIsAnError) {
  StreamServer server;
  Client client(server);
  client.send(post("transfer-encoding: chunked\r\n") + "4\r\nabcd\r\nx");
  server.wait_for_request();
  server.read_all();
  client.send("x\r\n");
  ASSERT_TRUE(server.run_until([&] { return server.streamer.error.has_value(); }));
  EXPECT_EQ(server.streamer.error, BodyError::malformed);
}

TEST(SessionStream, AClientThatStopsSendingIsTimedOutWhileItIsAsked) {
  StreamServer server({.body_timeout = milliseconds(30)});
  Client client(server);
  client.send(post("content-length: 6\r\n") + "abc");
  server.wait_for_request();
  server.streamer.exchange->stream_body(6);
  server.streamer.exchange->more_body();
  ASSERT_EQ(server.streamer.body(), "abc");
  // Not while the handler is busy with what there is.
  bool is_late = false;
  Timer timer(server.loop.timers(), &is_late, [](void* late) { *static_cast<bool*>(late) = true; });
  timer.arm(Clock::now() + milliseconds(80));
  ASSERT_TRUE(server.run_until([&] { return is_late; }));
  EXPECT_FALSE(server.streamer.error);
  server.streamer.exchange->more_body();
  ASSERT_TRUE(server.run_until([&] { return server.streamer.error.has_value(); }));
  EXPECT_EQ(server.streamer.error, BodyError::timed_out);
}

TEST(SessionStream, ContinueIsSentWhenABodyIsAskedFor) {
  StreamServer server;
  Client client(server);
  client.send(post("content-length: 3\r\nexpect: 100-continue\r\n"));
  server.wait_for_request();
  server.streamer.exchange->stream_body(100);
  server.settle();
  client.receive();
  EXPECT_EQ(client.received, "");
  server.read_all_from_now();
  client.read_until_contains("100 Continue\r\n\r\n");
  client.send("abc");
  ASSERT_TRUE(server.run_until([&] { return server.streamer.is_body_ended; }));
  EXPECT_EQ(server.streamer.body(), "abc");
}

TEST(SessionStream, ContinueGoesBeforeAHeadThatComesFirst) {
  StreamServer server;
  Client client(server);
  client.send(post("content-length: 3\r\nexpect: 100-continue\r\n"));
  server.wait_for_request();
  server.streamer.exchange->stream_body(100);
  EXPECT_TRUE(server.streamer.begin());
  EXPECT_TRUE(
      client.read_until_contains("chunked").starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP"));
  server.read_all_from_now();
  client.send("abc");
  ASSERT_TRUE(server.run_until([&] { return server.streamer.is_body_ended; }));
  server.streamer.end();
  client.send(kEnd);
  EXPECT_TRUE(without_dates(client.read_to_end()).ends_with("0\r\n\r\n" + std::string(kEndAnswer)));
}

TEST(SessionStream, WhatNobodyReadOfTheBodyIsDroppedOrEndsTheConnection) {
  for (const std::size_t left : {std::size_t{3}, std::size_t{1} << 20}) {
    StreamServer server;
    Client client(server);
    client.send(post("content-length: " + std::to_string(left + 3) + "\r\n") + "abc");
    server.wait_for_request();
    server.streamer.exchange->stream_body(1 << 30);
    server.streamer.exchange->more_body();
    EXPECT_EQ(server.streamer.body(), "abc");
    EXPECT_TRUE(server.streamer.begin(2));
    server.streamer.end("ok");
    client.send(std::string(left, 'x') + std::string(kEnd));
    client.read_to_end();
    EXPECT_EQ(server.handler.requests, left == 3 ? 2 : 1);
  }
}

// Both ways at once, with pieces of any size: what comes back is what was sent.
TEST(SessionStream, AnEchoIsExact) {
  std::mt19937_64 random(testing::printed_seed());
  StreamServer server;
  Streamer& streamer = server.streamer;
  server.on_stream = [&] {
    streamer.exchange->stream_body(1 << 30);
    (void)streamer.begin();
    streamer.then = [&] {
      if (streamer.is_body_ended) return streamer.end();
      streamer.is_writable = false;
      if (streamer.exchange->write(streamer.parts.back())) streamer.exchange->more_body();
    };
    streamer.then_writable = [&] { streamer.exchange->more_body(); };
    streamer.exchange->more_body();
  };
  Client client(server);
  for (int round = 0; round < 6; ++round) {
    std::string body;
    client.send(post("transfer-encoding: chunked\r\n"));
    for (int chunk = 0; chunk < 20; ++chunk) {
      std::string piece(1 + random() % 60'000, static_cast<char>('a' + random() % 26));
      body += piece;
      client.send(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece));
      if (random() % 2 == 0) server.settle();
    }
    client.send("0\r\n\r\n");
    client.read_until_contains("\r\n0\r\n\r\n");
    std::string_view rest = client.received;
    rest.remove_prefix(rest.find("\r\n\r\n") + 4);
    std::string back;
    while (!rest.starts_with("0\r\n")) {
      const std::size_t line = rest.find("\r\n");
      const std::size_t size = std::stoul(std::string(rest.substr(0, line)), nullptr, 16);
      back += rest.substr(line + 2, size);
      rest.remove_prefix(line + 2 + size + 2);
    }
    EXPECT_EQ(back, body);
    client.received.clear();
    streamer.parts.clear();
    streamer.is_body_ended = false;
  }
}

}  // namespace
}  // namespace funcd::http
