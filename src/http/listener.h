#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace funcd::http {

// Host and port as given to --listen: "127.0.0.1:8000", "[::1]:0", "localhost:80".
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
};
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text);
// "127.0.0.1:8000", "[::1]:8000".
[[nodiscard]] std::string format_endpoint(const Endpoint& endpoint);

// A socket that is bound and listens, made before the threads start so that a port in use is an
// error at start-up.
class Listener {
 public:
  // Port 0 picks a free one; endpoint() tells which. Shares its port with other listeners that
  // were made so (SO_REUSEPORT), those of another process of this user too.
  [[nodiscard]] static Result<Listener> bind(const Endpoint& endpoint);
  // So many that share one port, between which the kernel spreads connections. An error when
  // anyone else listens there.
  [[nodiscard]] static Result<std::vector<Listener>> bind_all(const Endpoint& endpoint,
                                                              std::size_t count);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  ~Listener();
  // With the address and the port that it has got.
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  // Gives the descriptor away.
  [[nodiscard]] int release();

 private:
  Listener(int descriptor, Endpoint endpoint);
  int descriptor_ = -1;
  Endpoint endpoint_;
};

}  // namespace funcd::http
