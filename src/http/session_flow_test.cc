// How a session behaves over time: late answers, clients that leave or stall.

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "http/server_fixture.h"
#include "http/session.h"

namespace funcd::http {
namespace {

using std::chrono::milliseconds;
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

TEST(Session, ShowsTheHandlerTheWholeHead) {
  TestServer server;
  Client client(server);
  bool is_checked = false;
  server.handler.on_exchange = [&](Exchange& exchange) {
    const RequestHead& head = exchange.head();
    EXPECT_EQ(head.method, "POST");
    EXPECT_EQ(head.target, "http://other:81/p%20q?x=1");
    EXPECT_EQ(head.path, "/p%20q");
    EXPECT_EQ(head.query, "x=1");
    EXPECT_EQ(head.host, "other:81");
    EXPECT_EQ(head.version_minor, 1);
    EXPECT_EQ(head.content_length, 2U);
    EXPECT_TRUE(head.has_body);
    EXPECT_EQ(head.remote_address, "127.0.0.1");
    EXPECT_NE(head.remote_port, 0);
    ASSERT_EQ(head.fields.size(), 5U);
    EXPECT_EQ(head.fields[1].name, "X-A");
    EXPECT_EQ(head.fields[1].value, "1  2");
    EXPECT_EQ(head.field("x-b"), "");
    is_checked = true;
    exchange.respond(text_response("ok"));
  };
  client.send(
      "POST http://other:81/p%20q?x=1 HTTP/1.1\r\nHost: h\r\nX-A: \t 1  2 \t\r\nx-b:\r\n"
      "content-length: 2\r\nconnection: close\r\n\r\nhi");
  client.read_to_end();
  EXPECT_TRUE(is_checked);
}

TEST(Session, AnswersLate) {
  TestServer server;
  answer_late(server);
  Client client(server);
  client.send_alone(kGet);
  server.settle();
  EXPECT_FALSE(client.receive());
  EXPECT_EQ(client.received, "");
  server.handler.recorders[0]->exchange().respond(text_response("late"));
  EXPECT_EQ(without_dates(client.read_until_contains("late")), plain("late"));
  client.received.clear();
  client.send_alone(kGet);
  server.handler.recorders[1]->exchange().respond(text_response("again"));
  EXPECT_EQ(without_dates(client.read_until_contains("again")), plain("again"));
}

TEST(Session, KeepsTheOrderOfPipelinedRequests) {
  TestServer server;
  answer_late(server);
  Client client(server);
  client.send_alone(std::string(kGet) + std::string(kGet) + std::string(kGet));
  server.settle();
  ASSERT_EQ(server.handler.requests, 1) << "one exchange at a time";
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(server.run_until([&] { return server.handler.requests == i + 1; }));
    server.handler.recorders.back()->exchange().respond(text_response(std::to_string(i) + ";"));
  }
  EXPECT_EQ(without_dates(client.read_until_contains("2;")),
            plain("0;") + plain("1;") + plain("2;"));
}

TEST(Session, ANextRequestDoesNotBeginWithinALateRespond) {
  TestServer server;
  answer_late(server);
  Client client(server);
  client.send_alone(std::string(kGet) + std::string(kGet));
  server.handler.recorders[0]->exchange().respond(text_response("x"));
  EXPECT_EQ(server.handler.requests, 1);
  EXPECT_TRUE(server.run_until([&] { return server.handler.requests == 2; }));
}

TEST(Session, TakesInABoundedNumberOfBytesWhileARequestIsInFlight) {
  TestServer server;
  answer_late(server);
  Client client(server);
  client.send_alone(kGet);
  std::string flood;
  while (flood.size() < 100'000) flood += kGet;
  client.send(flood);
  server.settle();
  EXPECT_LT(server.bytes_in(), 20'000U);
  server.handler.on_exchange = [](Exchange& exchange) { exchange.respond(text_response("y")); };
  server.handler.recorders[0]->exchange().respond(text_response("x"));
  client.send(kEnd);
  client.read_to_end();
  EXPECT_EQ(server.handler.requests, 2 + static_cast<int>(flood.size() / kGet.size()));
}

TEST(Session, AnswersAThousandPipelinedRequestsInOrder) {
  TestServer server;
  Client client(server);
  std::string requests;
  std::string answers;
  for (int i = 0; i < 1000; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nhost: h\r\n\r\n";
    answers += plain("GET /" + std::to_string(i));
  }
  client.send(requests + std::string(kEnd));
  EXPECT_EQ(without_dates(client.read_to_end()), answers + std::string(kEndAnswer));
}

TEST(Session, LetsOthersHaveTheirTurnBetweenPipelinedRequests) {
  TestServer server;
  std::string order;
  server.handler.on_exchange = [&order](Exchange& exchange) {
    order += exchange.head().path[1];
    exchange.respond(text_response("x"));
  };
  Client greedy(server);
  Client modest(server);
  server.settle();
  std::string many;
  for (int i = 0; i < 100; ++i) many += "GET /g HTTP/1.1\r\nhost: h\r\n\r\n";
  ASSERT_TRUE(greedy.send_now(many));
  ASSERT_TRUE(modest.send_now("GET /m HTTP/1.1\r\nhost: h\r\n\r\n"));
  ASSERT_TRUE(server.run_until([&] { return order.size() == 101; }));
  EXPECT_LT(order.find('m'), 40U);
}

TEST(Session, ViewsOfTheRequestHoldUntilTheResponse) {
  TestServer server;
  answer_late(server);
  Client client(server);
  const std::string body(500, 'b');
  client.send_alone(
      "POST /path HTTP/1.1\r\nhost: h\r\nx-name: value\r\ncontent-length: 500\r\n\r\n" + body);
  Recorder& recorder = *server.handler.recorders[0];
  std::string_view seen;
  recorder.exchange().read_body(1000);
  ASSERT_EQ(recorder.body, body);
  const RequestHead& head = recorder.exchange().head();
  // Fills what is left of the block, and more.
  std::string flood;
  while (flood.size() < 50'000) flood += kGet;
  client.send(flood);
  server.settle();
  EXPECT_EQ(head.path, "/path");
  EXPECT_EQ(head.field("x-name"), "value");
  recorder.exchange().respond(text_response("x"));
}

// --- clients that leave

TEST(Session, TellsWhenTheClientLeavesARequestInFlight) {
  for (const bool is_reset : {false, true}) {
    TestServer server;
    answer_late(server);
    Client client(server);
    client.send_alone(kGet);
    is_reset ? client.reset() : client.close();
    ASSERT_TRUE(server.run_until([&] { return server.handler.recorders[0]->is_hung_up; }));
    EXPECT_EQ(server.open(), 0U);
    EXPECT_EQ(server.server->counters().hangups.value(), 1U);
  }
}

TEST(Session, TellsWhenTheClientLeavesWithinABody) {
  TestServer server;
  Client client(server);
  client.send_alone("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc");
  client.close();
  ASSERT_TRUE(server.run_until([&] { return server.handler.recorders[0]->is_hung_up; }));
  EXPECT_FALSE(server.handler.recorders[0]->body.has_value());
}

TEST(Session, AnExchangeNobodyListensToLivesUntilItsResponse) {
  TestServer server;
  Exchange* kept = nullptr;
  server.handler.on_exchange = [&kept](Exchange& exchange) { kept = &exchange; };
  Client client(server);
  client.send_alone(kGet);
  client.close();
  ASSERT_TRUE(server.run_until([&] { return server.open() == 0; }));
  EXPECT_EQ(kept->head().path, "/a");
  kept->respond(text_response("nobody reads this"));
}

TEST(Session, AnswersAClientThatOnlyStoppedSending) {
  TestServer server;
  Client client(server);
  client.send(std::string(kGet) + std::string(kGet));
  client.shut_down_sending();
  EXPECT_EQ(without_dates(client.read_to_end()), plain("GET /a") + plain("GET /a"));
}

TEST(Session, ALateResponseToAClientThatHasGoneIsHarmless) {
  TestServer server;
  answer_late(server);
  Client client(server);
  client.send_alone(kGet);
  client.reset();
  // The loop has not had a turn: nobody knows yet.
  server.handler.recorders[0]->exchange().respond(text_response(std::string(100'000, 'x')));
  EXPECT_TRUE(server.run_until([&] { return server.open() == 0; }));
  EXPECT_FALSE(server.handler.recorders[0]->is_hung_up);
}

TEST(Session, AHangUpDuringReadBodyIsToldOnALaterTurn) {
  TestServer server;
  answer_late(server);
  Client client(server);
  client.send_alone(
      "POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n");
  Recorder& recorder = *server.handler.recorders[0];
  client.reset();
  recorder.exchange().read_body(100);  // sends 100 Continue into a connection that is gone
  EXPECT_FALSE(recorder.is_hung_up);
  EXPECT_TRUE(server.run_until([&] { return recorder.is_hung_up; }));
}

// --- large and odd responses

TEST(Session, SendsALargeBodyToASlowReader) {
  for (const std::size_t bytes : {16'384UL, 16'385UL, 20'000'000UL}) {
    TestServer server;
    std::string body(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) body[i] = static_cast<char>('a' + i % 23);
    server.handler.on_exchange = [&](Exchange& exchange) { exchange.respond(text_response(body)); };
    Client client(server, 16'384);
    client.send(std::string(kGet) + std::string(kEnd));
    const std::string answer = client.read_to_end();
    const std::size_t first = answer.find("\r\n\r\n");
    ASSERT_NE(first, std::string::npos);
    EXPECT_EQ(answer.substr(first + 4, bytes), body);
    EXPECT_EQ(answer.substr(answer.size() - bytes), body);
    EXPECT_EQ(server.server->counters().bytes_out.value(), answer.size());
  }
}

TEST(Session, SendsNoBodyWhereNoneIsAllowed) {
  TestServer server;
  int status = 0;
  server.handler.on_exchange = [&](Exchange& exchange) {
    exchange.respond(text_response("body", status));
  };
  for (const int with : {204, 304}) {
    status = with;
    Client client(server);
    client.send(std::string(kGet) + std::string(kEnd));
    const std::string answer = without_dates(client.read_to_end());
    EXPECT_EQ(answer.find("body"), std::string::npos);
    EXPECT_EQ(answer.find("content-length"), std::string::npos);
    EXPECT_EQ(server.handler.requests, 2);
    server.handler.requests = 0;
  }
}

TEST(Session, ReplacesAStatusThatCannotEndAnExchange) {
  TestServer server;
  int status = 0;
  server.handler.on_exchange = [&](Exchange& exchange) {
    exchange.respond(text_response("body", status));
  };
  for (const int with : {-1, 0, 100, 101, 199, 1000}) {
    status = with;
    Client client(server);
    client.send(kEnd);
    EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 500 Internal Server Error\r\n")) << with;
  }
  status = 299;
  Client client(server);
  client.send(kEnd);
  EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 299 \r\n"));
}

// --- time limits

ServerOptions impatient() {
  ServerOptions options;
  options.header_timeout = milliseconds{30};
  options.body_timeout = milliseconds{30};
  options.idle_timeout = milliseconds{30};
  options.write_timeout = milliseconds{30};
  return options;
}

TEST(Session, ClosesAnIdleConnectionWithoutAWord) {
  TestServer server(impatient());
  Client client(server);
  EXPECT_EQ(client.read_to_end(), "");
  Client used(server);
  used.send(kGet);
  EXPECT_EQ(without_dates(used.read_to_end()), plain("GET /a"));
  EXPECT_EQ(server.server->counters().timeouts.value(), 0U);
}

TEST(Session, AnswersAHeadThatDoesNotComeToItsEndWith408) {
  TestServer server(impatient());
  Client client(server);
  client.send(std::string(kGet) + "GET / HT");
  const std::string answer = client.read_to_end();
  EXPECT_NE(answer.find("HTTP/1.1 408 Request Timeout\r\n"), std::string::npos);
  EXPECT_EQ(server.handler.refused, std::vector<int>{408});
  EXPECT_EQ(server.server->counters().timeouts.value(), 1U);
}

TEST(Session, AHeadThatTricklesInDoesNotGetMoreTime) {
  ServerOptions options;
  options.header_timeout = milliseconds{60};
  TestServer server(options);
  Client client(server);
  client.send(std::string(kGet) + "GET / HTTP/1.1\r\nx: ");
  EXPECT_TRUE(server.run_until([&] {
    client.send("x");
    return client.receive();
  }));
  // Not for its size, which it would reach in the end.
  EXPECT_EQ(server.handler.refused, std::vector<int>{408});
}

TEST(Session, TellsWhenABodyDoesNotComeToItsEnd) {
  for (const std::string rest :
       {"content-length: 10\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n5\r\nabc"}) {
    TestServer server(impatient());
    Client client(server);
    client.send("POST / HTTP/1.1\r\nhost: h\r\n" + rest);
    const std::string answer = client.read_to_end();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
    EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos);
    ASSERT_EQ(server.handler.recorders.size(), 1U);
    EXPECT_EQ(server.handler.recorders[0]->error, BodyError::timed_out);
  }
}

TEST(Session, ClosesWhenADroppedBodyDoesNotComeToItsEnd) {
  TestServer server(impatient());
  server.handler.on_exchange = [](Exchange& exchange) { exchange.respond(text_response("x")); };
  Client client(server);
  client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc");
  EXPECT_EQ(without_dates(client.read_to_end()), plain("x"));
}

TEST(Session, CutsAClientThatDoesNotRead) {
  TestServer server(impatient());
  server.handler.on_exchange = [](Exchange& exchange) {
    exchange.respond(text_response(std::string(50'000'000, 'x')));
  };
  Client client(server, 4096);
  client.send_alone(kGet);
  EXPECT_TRUE(server.run_until([&] { return server.open() == 0; }));
  EXPECT_EQ(server.server->counters().timeouts.value(), 1U);
}

TEST(Session, GivesTheHandlerAllTheTimeItWants) {
  TestServer server(impatient());
  answer_late(server);
  Client client(server);
  client.send_alone(kGet);
  const TimePoint later = Clock::now() + milliseconds{120};
  ASSERT_TRUE(server.run_until([&] { return Clock::now() > later; }));
  server.handler.recorders[0]->exchange().respond(text_response("late"));
  EXPECT_EQ(without_dates(client.read_until_contains("late")), plain("late"));
}

}  // namespace
}  // namespace funcd::http
