// Responses in parts.

#include <gtest/gtest.h>

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

TEST(SessionStream, AResponseIsChunked) {
  StreamServer server;
  Client client(server);
  client.send(get());
  server.wait_for_request();
  EXPECT_TRUE(server.streamer.begin(std::nullopt, "first"));
  const std::string head =
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
      "content-type: text/plain\r\n\r\n";
  EXPECT_EQ(without_dates(client.read_until_contains("first\r\n")), head + "5\r\nfirst\r\n");
  EXPECT_TRUE(server.streamer.exchange->write(""));
  EXPECT_TRUE(server.streamer.exchange->write(std::string(31, 'x')));
  client.read_until_contains("1f\r\n" + std::string(31, 'x') + "\r\n");
  server.streamer.end("last");
  client.send(kEnd);
  EXPECT_TRUE(without_dates(client.read_to_end())
                  .ends_with("\r\n4\r\nlast\r\n0\r\n\r\n" + std::string(kEndAnswer)));
}

TEST(SessionStream, AResponseHasItsLength) {
  StreamServer server;
  Client client(server);
  client.send(get());
  server.wait_for_request();
  EXPECT_TRUE(server.streamer.begin(6, "ab"));
  EXPECT_TRUE(server.streamer.exchange->write("cd"));
  client.read_until_contains("\r\n\r\nabcd");
  server.streamer.end("ef");
  client.send(kEnd);
  EXPECT_EQ(without_dates(client.read_to_end()),
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\ncontent-type: text/plain\r\n\r\nabcdef" +
                std::string(kEndAnswer));
}

TEST(SessionStream, ABodyThatDoesNotFitItsLengthEndsTheConnection) {
  for (const std::string_view rest : {"cde", "c", ""}) {
    StreamServer server;
    Client client(server);
    client.send(get() + std::string(kEnd));
    server.wait_for_request();
    EXPECT_TRUE(server.streamer.begin(4, "ab"));
    server.streamer.end(rest);
    const std::string answer = client.read_to_end();
    EXPECT_TRUE(answer.ends_with("\r\n\r\nab" + std::string(rest.substr(0, 2)))) << answer;
    EXPECT_EQ(server.handler.requests, 1);
  }
}

TEST(SessionStream, AnAbortedResponseLacksItsEnd) {
  StreamServer server;
  Client client(server);
  client.send(get() + std::string(kEnd));
  server.wait_for_request();
  EXPECT_TRUE(server.streamer.begin(std::nullopt, "ab"));
  std::exchange(server.streamer.exchange, nullptr)->abort();
  EXPECT_TRUE(client.read_to_end().ends_with("\r\n\r\n2\r\nab\r\n"));
  EXPECT_EQ(server.handler.requests, 1);
}

TEST(SessionStream, Http10IsEndedByTheConnection) {
  StreamServer server;
  Client client(server);
  client.send(get("connection: keep-alive\r\n", "1.0"));
  server.wait_for_request();
  EXPECT_TRUE(server.streamer.begin(std::nullopt, "ab"));
  server.streamer.end("cd");
  EXPECT_EQ(without_dates(client.read_to_end()),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nabcd");
  EXPECT_FALSE(client.is_reset);
}

TEST(SessionStream, AnAbortedHttp10ResponseIsReset) {
  StreamServer server;
  Client client(server);
  client.send(get({}, "1.0"));
  server.wait_for_request();
  EXPECT_TRUE(server.streamer.begin(std::nullopt, "ab"));
  client.read_until_contains("ab");
  std::exchange(server.streamer.exchange, nullptr)->abort();
  client.read_to_end();
  EXPECT_TRUE(client.is_reset);
  EXPECT_EQ(server.server->counters().hangups.value(), 0U);
}

TEST(SessionStream, SomeResponsesHaveNoBody) {
  const auto answer = [](std::string request, int status) {
    StreamServer server;
    Client client(server);
    client.send(request);
    server.wait_for_request();
    EXPECT_TRUE(server.streamer.begin(std::nullopt, "ab", status));
    EXPECT_TRUE(server.streamer.exchange->write("cd"));
    server.streamer.end("ef");
    client.send(kEnd);
    return without_dates(client.read_to_end());
  };
  EXPECT_EQ(answer("HEAD /stream HTTP/1.1\r\nhost: h\r\n\r\n", 200),
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/plain\r\n\r\n" +
                std::string(kEndAnswer));
  EXPECT_EQ(answer(get(), 204), "HTTP/1.1 204 No Content\r\ncontent-type: text/plain\r\n\r\n" +
                                    std::string(kEndAnswer));
  EXPECT_EQ(answer(get(), 304), "HTTP/1.1 304 Not Modified\r\ncontent-type: text/plain\r\n\r\n" +
                                    std::string(kEndAnswer));
}

TEST(SessionStream, TrailersGoToThoseWhoTakeThem) {
  for (const std::string_view te : {"", "te: gzip\r\n", "te: gzip, Trailers\r\n"}) {
    StreamServer server;
    Client client(server);
    client.send(get(te));
    server.wait_for_request();
    EXPECT_TRUE(server.streamer.begin(std::nullopt, "ab"));
    FieldBlock trailers;
    ASSERT_TRUE(trailers.add("x-sum", "1"));
    server.streamer.end("", trailers);
    const std::string_view expected =
        te.ends_with("Trailers\r\n") ? "0\r\nx-sum: 1\r\n\r\n" : "0\r\n\r\n";
    EXPECT_TRUE(
        client.read_until_contains("0\r\n").ends_with("2\r\nab\r\n" + std::string(expected)));
  }
}

TEST(SessionStream, AWriterIsHeldBackByASlowReader) {
  StreamServer server;
  Client client(server, 4096);
  client.send(get());
  server.wait_for_request();
  const std::string piece(Exchange::kWriteBytesMax, 'x');
  std::size_t written = piece.size();
  bool may_write = server.streamer.begin(std::nullopt, piece);
  while (may_write) {
    may_write = server.streamer.exchange->write(piece);
    written += piece.size();
  }
  server.settle();
  EXPECT_FALSE(server.streamer.is_writable);
  EXPECT_LT(written, 64U << 20);
  client.read_bytes(written - piece.size());
  ASSERT_TRUE(server.run_until([&] { return client.receive() || server.streamer.is_writable; }));
  server.streamer.end();
  ASSERT_TRUE(server.run_until([&] {
    client.receive();
    return client.received.ends_with("0\r\n\r\n");
  }));
}

TEST(SessionStream, AReaderThatTakesNothingIsGivenUp) {
  StreamServer server({.write_timeout = milliseconds(30)});
  Client client(server, 4096);
  client.send(get());
  server.wait_for_request();
  const std::string piece(Exchange::kWriteBytesMax, 'x');
  bool may_write = server.streamer.begin(std::nullopt, piece);
  while (may_write) may_write = server.streamer.exchange->write(piece);
  ASSERT_TRUE(server.run_until([&] { return server.streamer.is_hung_up; }));
  EXPECT_EQ(server.open(), 0U);
  EXPECT_EQ(server.server->counters().timeouts.value(), 1U);
}

TEST(SessionStream, ABodyGoesOnWhileTheResponseIsStuck) {
  StreamServer server;
  Client client(server, 4096);
  client.send(post("content-length: 6\r\n") + "abc");
  server.wait_for_request();
  const std::string piece(Exchange::kWriteBytesMax, 'x');
  bool may_write = server.streamer.begin(std::nullopt, piece);
  while (may_write) may_write = server.streamer.exchange->write(piece);
  server.read_all();
  client.send("def");
  ASSERT_TRUE(server.run_until([&] { return server.streamer.is_body_ended; }));
  EXPECT_EQ(server.streamer.body(), "abcdef");
  EXPECT_FALSE(server.streamer.is_writable);
  ASSERT_TRUE(server.run_until([&] {
    client.receive();
    return server.streamer.is_writable;
  }));
}

TEST(SessionStream, AClientThatLeavesIsNoticed) {
  for (const bool is_resetting : {false, true}) {
    StreamServer server;
    Client client(server);
    client.send(get());
    server.wait_for_request();
    EXPECT_TRUE(server.streamer.begin(std::nullopt, "ab"));
    client.read_until_contains("ab");
    is_resetting ? client.reset() : client.close();
    ASSERT_TRUE(server.run_until([&] { return server.streamer.is_hung_up; }));
    EXPECT_EQ(server.open(), 0U);
  }
}

TEST(SessionStream, ALossThatWriteFindsIsToldLater) {
  StreamServer server;
  Client client(server);
  client.send(get());
  server.wait_for_request();
  client.reset();
  EXPECT_FALSE(server.streamer.begin(std::nullopt, "ab"));
  EXPECT_FALSE(server.streamer.is_hung_up) << "within the call";
  ASSERT_TRUE(server.run_until([&] { return server.streamer.is_hung_up; }));
}

TEST(SessionStream, ADrainWaitsForTheEndOfTheResponse) {
  StreamServer server;
  Client client(server);
  client.send(get());
  server.wait_for_request();
  EXPECT_TRUE(server.streamer.begin(std::nullopt, "ab"));
  bool is_drained = false;
  server.server->drain(Clock::now() + std::chrono::seconds(20), [&] { is_drained = true; });
  server.settle();
  EXPECT_FALSE(is_drained);
  server.streamer.end("cd");
  EXPECT_TRUE(client.read_to_end().ends_with("2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"));
  client.close();
  EXPECT_TRUE(server.run_until([&] { return is_drained; }));
}

}  // namespace
}  // namespace funcd::http
