#include "http/server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <string>
#include <vector>

#include "http/server_fixture.h"

namespace funcd::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Client;
using testing::TestServer;
using testing::text_response;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: h\r\n\r\n";

void answer_late(TestServer& server) {
  server.handler.on_exchange = [&server](Exchange& exchange) { server.handler.record(exchange); };
}

TEST(Server, RefusesConnectionsBeyondItsLimit) {
  ServerOptions options;
  options.connections_max = 2;
  TestServer server(options);
  Client first(server);
  Client second(server);
  Client third(server);
  EXPECT_EQ(third.read_to_end(), "");
  first.send(kGet);
  first.read_until_contains("GET /a");
  second.close();
  ASSERT_TRUE(server.run_until([&] { return server.open() == 1; }));
  Client fourth(server);
  fourth.send(kGet);
  fourth.read_until_contains("GET /a");
  const ServerCounters& counters = server.server->counters();
  EXPECT_EQ(counters.connections_refused.value(), 1U);
  EXPECT_EQ(counters.connections_accepted.value(), 4U);
}

TEST(Server, CountsWhatItDoes) {
  TestServer server;
  Client client(server);
  client.send(std::string(kGet) + std::string(kGet) + "bad\r\n\r\n");
  const std::string answer = client.read_to_end();
  const ServerCounters& counters = server.server->counters();
  EXPECT_EQ(counters.requests.value(), 2U);
  EXPECT_EQ(counters.requests_refused.value(), 1U);
  EXPECT_EQ(counters.bytes_in.value(), 2 * kGet.size() + 7);
  EXPECT_EQ(counters.bytes_out.value(), answer.size());
  EXPECT_EQ(server.handler.refused, std::vector<int>{400});
}

TEST(Server, ServesManyConnectionsAtOnce) {
  TestServer server;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(std::make_unique<Client>(server));
  for (auto& client : clients) client->send(kGet);
  for (auto& client : clients) client->read_until_contains("GET /a");
  EXPECT_EQ(server.open(), 200U);
  clients.clear();
  EXPECT_TRUE(server.run_until([&] { return server.open() == 0; }));
}

TEST(Server, AcceptsAgainWhenThereAreDescriptorsAgain) {
  TestServer server;
  Client client(server);  // connected by the kernel, not accepted yet
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool has_failed =
      server.run_until([&] { return server.server->counters().accept_failures.value() > 0; });
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(has_failed);
  EXPECT_EQ(server.open(), 0U);
  client.send(kGet);
  client.read_until_contains("GET /a");
  EXPECT_LT(server.server->counters().accept_failures.value(), 100U) << "it must not spin";
}

TEST(Drain, WithoutConnectionsIsDoneOnALaterTurn) {
  TestServer server;
  bool is_drained = false;
  server.server->drain(Clock::now() + seconds{30}, [&] { is_drained = true; });
  EXPECT_FALSE(is_drained);
  EXPECT_TRUE(server.run_until([&] { return is_drained; }));
}

TEST(Drain, ClosesIdleConnectionsAndAnswersWhatIsInFlight) {
  TestServer server;
  Client idle(server);
  idle.send(kGet);
  idle.read_until_contains("GET /a");
  answer_late(server);
  Client busy(server);
  busy.send_alone(std::string(kGet) + std::string(kGet));
  int drained = 0;
  server.server->drain(Clock::now() + seconds{30}, [&] { ++drained; });
  idle.received.clear();
  EXPECT_EQ(idle.read_to_end(), "");
  EXPECT_EQ(drained, 0);
  server.handler.recorders.back()->exchange().respond(text_response("last"));
  const std::string answer = busy.read_to_end();
  EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("last"));
  EXPECT_EQ(server.handler.requests, 2) << "the second of the busy ones was not begun";
  busy.close();
  EXPECT_TRUE(server.run_until([&] { return drained == 1; }));
}

TEST(Drain, AnswersARequestThatIsOnItsWay) {
  TestServer server;
  Client queued(server);  // in the kernel's queue; the loop has had no turn
  queued.send(kGet);
  Client begun(server);
  begun.send_alone(kGet.substr(0, 10));
  Client used(server);
  used.send(kGet);
  used.read_until_contains("GET /a");
  used.received.clear();
  Client silent(server);
  server.settle();
  EXPECT_EQ(server.handler.requests, 2);
  // Sent, but not received when the drain begins.
  ASSERT_TRUE(used.send_now(kGet));
  bool is_drained = false;
  server.server->drain(Clock::now() + seconds{30}, [&] { is_drained = true; });
  begun.send(kGet.substr(10));
  silent.send(kGet);
  for (Client* client : {&begun, &silent, &used}) {
    const std::string answer = client->read_to_end();
    EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(answer.ends_with("GET /a"));
    client->close();
  }
  queued.close();
  EXPECT_TRUE(server.run_until([&] { return is_drained; }));
}

TEST(Drain, TakesOverWhoIsStillInTheQueueOfTheKernel) {
  TestServer server;
  Client queued(server);
  EXPECT_EQ(server.open(), 0U);
  bool is_drained = false;
  server.server->drain(Clock::now() + seconds{30}, [&] { is_drained = true; });
  queued.send(kGet);
  EXPECT_TRUE(queued.read_to_end().ends_with("GET /a"));
  queued.close();
  EXPECT_TRUE(server.run_until([&] { return is_drained; }));
}

TEST(Drain, AcceptsNobodyAnyMore) {
  TestServer server;
  answer_late(server);
  Client busy(server);
  busy.send_alone(kGet);
  server.server->drain(Clock::now() + seconds{30}, [] {});
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_NE(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ::close(socket);
}

TEST(Drain, CutsAtTheDeadline) {
  TestServer server;
  answer_late(server);
  Client busy(server);
  busy.send_alone(kGet);
  bool is_drained = false;
  server.server->drain(Clock::now() + milliseconds{20}, [&] { is_drained = true; });
  EXPECT_TRUE(server.run_until([&] { return is_drained; }));
  EXPECT_TRUE(server.handler.recorders[0]->is_hung_up);
  EXPECT_EQ(busy.read_to_end(), "");
}

TEST(Drain, TheServerMayBeDestroyedWhenItIsDone) {
  TestServer server;
  Client client(server);
  client.send(kGet);
  client.read_until_contains("GET /a");
  server.server->drain(Clock::now() + seconds{30}, [&] { server.server.reset(); });
  EXPECT_TRUE(server.run_until([&] { return !server.server.has_value(); }));
  server.settle();
}

TEST(Server, DestroyedWithRequestsInFlightHangsUp) {
  TestServer server;
  answer_late(server);
  Client busy(server);
  busy.send_alone(kGet);
  Client idle(server);
  server.settle();
  Exchange* kept = nullptr;
  server.handler.on_exchange = [&kept](Exchange& exchange) { kept = &exchange; };
  Client unheard(server);
  unheard.send_alone(kGet);
  server.server.reset();
  EXPECT_TRUE(server.handler.recorders[0]->is_hung_up);
  server.settle();
  kept->respond(text_response("nobody reads this"));
  EXPECT_EQ(busy.read_to_end(), "");
  EXPECT_EQ(idle.read_to_end(), "");
}

}  // namespace
}  // namespace funcd::http
