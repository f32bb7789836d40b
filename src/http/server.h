#pragma once

#include <functional>
#include <memory>

#include "base/loop.h"
#include "http/exchange.h"
#include "http/listener.h"
#include "http/server_counters.h"
#include "http/server_options.h"

namespace funcd::http {

// HTTP/1.1 on one loop: accepts, reads requests, hands each to the handler, writes the responses.
// Made and destroyed on the loop's thread or while the loop does not run, and not from within a
// call to the handler. The loop and the handler outlive it. Requests in flight when it is destroyed
// get on_hangup().
class Server {
 public:
  Server(Loop& loop, Listener listener, ServerOptions options, Handler& handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Stops accepting, closes idle connections, answers what is in flight with `connection: close`,
  // then calls `on_drained` (once), from which the server may be destroyed. Connections still open
  // at `deadline` are cut.
  void drain(TimePoint deadline, std::function<void()> on_drained);

  [[nodiscard]] const ServerCounters& counters() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace funcd::http
