// A connection that has settled down costs no allocation for a request.

#include <gtest/gtest.h>

#include <string>

#include "http/server_fixture.h"
#include "testing/counted_new.h"

namespace funcd::http {
namespace {

using funcd::testing::allocations;
using testing::Client;
using testing::TestServer;

Response small_response() {
  Response response;
  response.body = "within string";  // short enough to need no memory of its own
  return response;
}

// Allocations of `count` requests, one after the other.
std::size_t allocations_of(TestServer& server, Client& client, std::string_view request, int count,
                           void (*between)(TestServer&)) {
  client.received.reserve(4096);
  bool is_answered = true;
  const std::size_t before = allocations;
  for (int i = 0; i < count; ++i) {
    client.received.clear();
    const std::uint64_t bytes_in = server.bytes_in();
    is_answered = is_answered && client.send_now(request) &&
                  server.run_until([&] { return server.bytes_in() > bytes_in; });
    between(server);
    is_answered = is_answered && server.run_until([&] {
      client.receive();
      return client.received.ends_with("within string");
    });
  }
  const std::size_t after = allocations;
  EXPECT_TRUE(is_answered);
  return after - before;
}

constexpr std::string_view kGet = "GET /hello?a=b HTTP/1.1\r\nhost: h\r\naccept: */*\r\n\r\n";
constexpr std::string_view kPost =
    "POST /hello HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

TEST(Session, AllocatesNothingForARequestThatIsAnsweredAtOnce) {
  TestServer server;
  server.handler.on_exchange = [](Exchange& exchange) { exchange.respond(small_response()); };
  Client client(server);
  const auto nothing = [](TestServer&) {};
  EXPECT_GT(allocations_of(server, client, kGet, 10, nothing), 0U);
  EXPECT_EQ(allocations_of(server, client, kGet, 1000, nothing), 0U);
  allocations_of(server, client, kPost, 10, nothing);
  EXPECT_EQ(allocations_of(server, client, kPost, 1000, nothing), 0U);
}

TEST(Session, AllocatesNothingForARequestThatIsAnsweredLate) {
  TestServer server;
  static Exchange* waiting = nullptr;
  server.handler.on_exchange = [](Exchange& exchange) { waiting = &exchange; };
  Client client(server);
  const auto answer = [](TestServer&) { waiting->respond(small_response()); };
  // As many as it takes to go through some blocks of the input buffer.
  allocations_of(server, client, kGet, 500, answer);
  EXPECT_EQ(allocations_of(server, client, kGet, 1000, answer), 0U);
}

}  // namespace
}  // namespace funcd::http
