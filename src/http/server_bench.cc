// A server that answers every request with the same bytes, to measure what HTTP costs:
//
//   server_bench [port]      prints `listening on http://127.0.0.1:PORT`, ends on SIGTERM
//
// CPU per request is user + system time of this process divided by the requests that wrk counts.

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/loop.h"
#include "http/server.h"

namespace {

class Hello final : public funcd::http::Handler {
 public:
  void on_request(funcd::http::Exchange& exchange) override {
    funcd::http::Response response;
    response.content_type = "application/json";
    response.body = R"({"name":"zztkm","age":20,"description":"This is a description"})";
    exchange.respond(std::move(response));
  }
  void on_refused(int /*status*/) override {}
};

}  // namespace

int main(int argc, char** argv) {
  funcd::http::Endpoint endpoint{"127.0.0.1", 0};
  if (argc > 1) endpoint.port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  auto listener = funcd::http::Listener::bind(endpoint);
  if (!listener) {
    std::fprintf(stderr, "%s\n", listener.error().message.c_str());
    return 1;
  }
  std::printf("listening on http://%s\n",
              funcd::http::format_endpoint(listener->endpoint()).c_str());
  std::fflush(stdout);
  funcd::Loop loop;
  Hello hello;
  funcd::http::Server server(loop, std::move(*listener), {}, hello);
  boost::asio::signal_set signals(loop.io(), SIGTERM, SIGINT);
  signals.async_wait([&loop](const auto&, int) { loop.stop(); });
  loop.run();
  return 0;
}
