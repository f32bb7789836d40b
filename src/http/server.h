#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/loop.h"
#include "base/result.h"
#include "http/exchange.h"

namespace funcd::http {

struct ServerOptions {
  std::size_t header_bytes_max = 64 * 1024;  // request line and fields together: else 431
  std::size_t fields_max = 100;              // else 431
  std::size_t target_bytes_max = 8 * 1024;   // else 414
  std::size_t connections_max = 10'000;      // of this server; one more is closed at once
  std::chrono::milliseconds header_timeout{10'000};  // from a request's first byte to its head's end
  std::chrono::milliseconds body_timeout{30'000};    // between two reads of a body
  std::chrono::milliseconds idle_timeout{75'000};    // between two requests
  std::chrono::milliseconds write_timeout{30'000};   // a client that does not read
};

// What a server has seen, for metrics. Written by the loop's thread with relaxed stores, read by
// any thread.
struct ServerCounters;

// Host and port as given to --listen: "127.0.0.1:8000", "[::1]:0", "localhost:80".
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
};
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text);

// A socket that is bound and listens, made before the threads start so that a port in use is an
// error at start-up. Several listeners of one endpoint share its port (SO_REUSEPORT).
class Listener {
 public:
  // Port 0 picks a free one; endpoint() tells which.
  [[nodiscard]] static Result<Listener> bind(const Endpoint& endpoint);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  ~Listener();
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  // Gives the descriptor away.
  [[nodiscard]] int release();

 private:
  Listener(int descriptor, Endpoint endpoint);
  int descriptor_ = -1;
  Endpoint endpoint_;
};

// HTTP/1.1 on one loop: accepts, reads requests, hands each to the handler, writes the responses.
// Made and destroyed on the loop's thread or while the loop does not run.
class Server {
 public:
  Server(Loop& loop, Listener listener, ServerOptions options, Handler& handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Stops accepting, closes idle connections, answers what is in flight with `connection: close`,
  // then calls `on_drained` (once). Connections still open at `deadline` are cut.
  void drain(TimePoint deadline, std::function<void()> on_drained);

  [[nodiscard]] const ServerCounters& counters() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace funcd::http
