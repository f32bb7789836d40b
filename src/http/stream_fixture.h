#pragma once

// For tests of bodies in parts: who takes and gives them, and a server for it.

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/server_fixture.h"

namespace funcd::http::testing {

// Takes one request in parts and writes what the test says.
struct Streamer final : ExchangeListener {
  void take(Exchange& to) {
    exchange = &to;
    to.listen(*this);
  }
  void on_body_part(std::string_view part) override {
    parts.emplace_back(part);
    part_bytes_max = std::max(part_bytes_max, part.size());
    if (then) then();
  }
  void on_body_end() override {
    is_body_ended = true;
    if (then) then();
  }
  void on_body_error(BodyError what) override {
    error = what;
    if (then) then();
  }
  void on_writable() override {
    is_writable = true;
    if (then_writable) then_writable();
  }
  void on_hangup() override {
    is_hung_up = true;
    exchange = nullptr;
  }
  [[nodiscard]] std::string body() const {
    std::string whole;
    for (const std::string& part : parts) whole += part;
    return whole;
  }
  [[nodiscard]] bool begin(std::optional<std::uint64_t> length = std::nullopt,
                           std::string first = {}, int status = 200) {
    return exchange->begin(text_response(std::move(first), status), length);
  }
  void end(std::string_view rest = {}, const FieldBlock& trailers = {}) {
    std::exchange(exchange, nullptr)->end(rest, trailers);
  }

  Exchange* exchange = nullptr;
  std::vector<std::string> parts;
  std::size_t part_bytes_max = 0;
  bool is_body_ended = false;
  std::optional<BodyError> error;
  bool is_writable = false;
  bool is_hung_up = false;
  std::function<void()> then;
  std::function<void()> then_writable;
};

// Requests for "/stream" go to `streamer`, others are answered whole.
struct StreamServer : TestServer {
  explicit StreamServer(ServerOptions options = {}) : TestServer(options) {
    handler.on_exchange = [this](Exchange& exchange) {
      if (exchange.head().path != "/stream") return handler.echo(exchange);
      streamer.take(exchange);
      if (on_stream) on_stream();
    };
  }
  // Sessions that are still open tell the streamer, so the server goes first.
  ~StreamServer() { server.reset(); }
  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;

  void wait_for_request() {
    EXPECT_TRUE(run_until([&] { return streamer.exchange != nullptr; }));
  }
  // Asks for part after part.
  void read_all(std::size_t bytes_max = 1 << 30) {
    streamer.exchange->stream_body(bytes_max);
    if (!streamer.error) read_all_from_now();
  }
  void read_all_from_now() {
    streamer.then = [this] {
      if (!streamer.is_body_ended && !streamer.error) streamer.exchange->more_body();
    };
    streamer.exchange->more_body();
  }

  Streamer streamer;
  std::function<void()> on_stream;
};

inline std::string get(std::string_view fields = {}, std::string_view version = "1.1") {
  return "GET /stream HTTP/" + std::string(version) + "\r\nhost: h\r\n" + std::string(fields) +
         "\r\n";
}
inline std::string post(std::string_view fields) {
  return "POST /stream HTTP/1.1\r\nhost: h\r\n" + std::string(fields) + "\r\n";
}

}  // namespace funcd::http::testing
