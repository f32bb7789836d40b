// Request bodies: wanted, expected, too large, and those that nobody reads.

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "http/server_fixture.h"
#include "http/session.h"

namespace funcd::http {
namespace {

using testing::Client;
using testing::kEnd;
using testing::kEndAnswer;
using testing::plain;
using testing::Recorder;
using testing::TestServer;
using testing::text_response;
using testing::without_dates;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: h\r\n\r\n";
// Answers only when the test says so.
void answer_late(TestServer& server) {
  server.handler.on_exchange = [&server](Exchange& exchange) { server.handler.record(exchange); };
}

constexpr std::string_view kExpecting =
    "POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-Continue\r\ncontent-length: 5\r\n\r\n";

TEST(Session, AsksForAnExpectedBodyOnlyWhenItIsRead) {
  TestServer server;
  answer_late(server);
  Client client(server);
  client.send_alone(kExpecting);
  server.settle();
  client.receive();
  EXPECT_EQ(client.received, "");
  Recorder& recorder = *server.handler.recorders[0];
  recorder.then = [](Recorder& self) { self.exchange().respond(text_response(*self.body)); };
  recorder.exchange().read_body(100);
  client.read_until_contains("\r\n\r\n");
  EXPECT_EQ(client.received, "HTTP/1.1 100 Continue\r\n\r\n");
  client.received.clear();
  client.send("hello" + std::string(kGet));
  EXPECT_EQ(without_dates(client.read_until_contains("hello")), plain("hello"));
  EXPECT_TRUE(server.run_until([&] { return server.handler.requests == 2; }));
}

TEST(Session, DoesNotAskForABodyThatIsThere) {
  TestServer server;
  Client client(server);
  client.send(std::string(kExpecting) + "hello" + std::string(kEnd));
  EXPECT_EQ(without_dates(client.read_to_end()), plain("POST / [hello]") + std::string(kEndAnswer));
}

TEST(Session, ClosesWhenAnExpectedBodyIsNotWanted) {
  for (const bool is_too_large : {false, true}) {
    TestServer server;
    server.handler.on_exchange = [&](Exchange& exchange) {
      if (is_too_large) return server.handler.echo(exchange, 4);
      exchange.respond(text_response("no", 403));
    };
    Client client(server);
    client.send(kExpecting);
    const std::string answer = client.read_to_end();
    EXPECT_EQ(answer.find("100"), std::string::npos);
    EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(answer.starts_with(is_too_large ? "HTTP/1.1 413 " : "HTTP/1.1 403 "));
  }
}

TEST(Session, DropsASmallBodyThatNobodyReads) {
  for (const std::string& request :
       {"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 20000\r\n\r\n" + std::string(20'000, 'x'),
        "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n4e20\r\n" +
            std::string(20'000, 'x') + "\r\n0\r\nt: 1\r\n\r\n"}) {
    TestServer server;
    server.handler.on_exchange = [&](Exchange& exchange) {
      exchange.respond(text_response(std::string(exchange.head().path)));
    };
    Client client(server);
    client.send(request + std::string(kEnd));
    EXPECT_EQ(without_dates(client.read_to_end()),
              plain("/") +
                  "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-type: text/plain\r\n"
                  "connection: close\r\n\r\n/end");
  }
}

TEST(Session, ClosesRatherThanDropALargeBodyAndTheAnswerArrives) {
  const std::string body(1'000'000, 'x');
  for (const std::string head :
       {"content-length: 1000000\r\n\r\n", "transfer-encoding: chunked\r\n\r\nf4240\r\n"}) {
    TestServer server;
    server.handler.on_exchange = [](Exchange& exchange) { exchange.respond(text_response("no")); };
    Client client(server);
    client.send("POST / HTTP/1.1\r\nhost: h\r\n" + head + body + "\r\n0\r\n\r\n");
    client.send(kEnd);
    client.shut_down_sending();
    const std::string answer = client.read_to_end();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_EQ(server.handler.requests, 1);
    EXPECT_FALSE(client.is_reset);
  }
}

TEST(Session, RefusesBodiesBeyondTheLimitOfTheReader) {
  for (const std::string rest :
       {"content-length: 11\r\n\r\n", "content-length: 18446744073709551615\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n",
        "transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n"}) {
    TestServer server;
    server.handler.on_exchange = [&](Exchange& exchange) { server.handler.echo(exchange, 10); };
    Client client(server);
    client.send("POST / HTTP/1.1\r\nhost: h\r\n" + rest);
    const std::string answer = client.read_to_end();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << rest;
    EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos);
  }
}

TEST(Session, ReadsABodyOfExactlyTheLimit) {
  TestServer server;
  server.handler.on_exchange = [&](Exchange& exchange) { server.handler.echo(exchange, 10); };
  Client client(server);
  client.send(
      "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\n0123456789"
      "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
      "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n");
  client.send("GET /end HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(without_dates(client.read_to_end()),
            plain("POST / [0123456789]") + plain("POST / [0123456789]") + std::string(kEndAnswer));
}

TEST(Session, AResponseMayComeBeforeTheBodyIsWhole) {
  TestServer server;
  answer_late(server);
  Client client(server);
  client.send_alone("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc");
  Recorder& recorder = *server.handler.recorders[0];
  recorder.exchange().read_body(100);
  client.send_alone("def");
  recorder.exchange().respond(text_response("early"));
  EXPECT_EQ(without_dates(client.read_until_contains("early")), plain("early"));
  client.send("ghij" + std::string(kGet));
  EXPECT_TRUE(server.run_until([&] { return server.handler.requests == 2; }));
  EXPECT_EQ(server.handler.recorders[1]->exchange().head().path, "/a");
}

}  // namespace
}  // namespace funcd::http
