#include "http/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <utility>

#include "base/file.h"
#include "http/characters.h"

namespace funcd::http {
namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn

enum class Sharing : std::uint8_t { exclusive, shared };

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Result<Addresses> resolve(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  const int code = getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found);
  if (code != 0) {
    return fail("listen on {}: the host cannot be resolved: {}", format_endpoint(endpoint),
                gai_strerror(code));
  }
  return Addresses(found, &freeaddrinfo);
}

void set_option(int descriptor, int level, int option) {
  const int on = 1;
  // What can fail here are wrong arguments.
  std::ignore = setsockopt(descriptor, level, option, &on, sizeof(on));
}

Result<Endpoint> local_endpoint(int descriptor) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return fail("listen: the socket's address cannot be read: {}", errno_text(errno));
  }
  std::array<char, NI_MAXHOST> host{};
  if (getnameinfo(reinterpret_cast<sockaddr*>(&address), length, host.data(), host.size(), nullptr,
                  0, NI_NUMERICHOST) != 0) {
    return fail("listen: the socket's address cannot be formatted");
  }
  const in_port_t port = address.ss_family == AF_INET6
                             ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                             : reinterpret_cast<sockaddr_in*>(&address)->sin_port;
  return Endpoint{host.data(), ntohs(port)};
}

// A descriptor, or a negative errno.
int open_listening(const addrinfo& address, Sharing sharing) {
  const int descriptor =
      socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol);
  if (descriptor < 0) return -errno;
  // A port whose last connections are not forgotten yet is free all the same.
  set_option(descriptor, SOL_SOCKET, SO_REUSEADDR);
  if (sharing == Sharing::shared) set_option(descriptor, SOL_SOCKET, SO_REUSEPORT);
  if (address.ai_family == AF_INET6) set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY);
  // Accepted sockets have it from the one that listens.
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY);
  if (::bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 &&
      ::listen(descriptor, kBacklog) == 0) {
    return descriptor;
  }
  const int code = errno;
  ::close(descriptor);
  return -code;
}

std::string advice(int code) {
  if (code == EADDRINUSE) return "; stop what listens there or choose another port";
  if (code == EACCES) return "; ports below 1024 need privileges, choose a higher one";
  if (code == EADDRNOTAVAIL) return "; this machine does not have that address";
  return "";
}

// The first of the host's addresses that can be listened on.
Result<int> open_any(const Endpoint& endpoint, Sharing sharing) {
  const Addresses addresses = TRY(resolve(endpoint));
  int code = EADDRNOTAVAIL;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    const int descriptor = open_listening(*address, sharing);
    if (descriptor >= 0) return descriptor;
    code = -descriptor;
  }
  return fail("listen on {}: {}{}", format_endpoint(endpoint), errno_text(code), advice(code));
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
  if (text.find("://") != std::string_view::npos) {
    return fail("address '{}': is a URL; write host and port alone, as in 127.0.0.1:8000", text);
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fail("address '{}': has no port; write it as 127.0.0.1:8000", text);
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']') && host.size() > 2) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos || host.find_first_of("[]") != host.npos) {
    return fail("address '{}': an IPv6 address stands in brackets; write it as [::1]:8000", text);
  }
  if (host.empty()) {
    return fail("address '{}': has no host; write 0.0.0.0:{} for all addresses", text, port_text);
  }
  for (const char c : host) {
    if (is_control(c) || c == ' ') return fail("address '{}': the host is malformed", text);
  }
  std::uint16_t port = 0;
  const char* const end = port_text.data() + port_text.size();
  const auto [parsed_end, code] = std::from_chars(port_text.data(), end, port);
  if (!is_digits(port_text) || code != std::errc{} || parsed_end != end) {
    return fail("address '{}': the port is no number from 0 to 65535", text);
  }
  return Endpoint{std::string(host), port};
}

std::string format_endpoint(const Endpoint& endpoint) {
  if (endpoint.host.find(':') == std::string::npos) {
    return fmt::format("{}:{}", endpoint.host, endpoint.port);
  }
  return fmt::format("[{}]:{}", endpoint.host, endpoint.port);
}

Listener::Listener(int descriptor, Endpoint endpoint)
    : descriptor_(descriptor), endpoint_(std::move(endpoint)) {}

Listener::Listener(Listener&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), endpoint_(std::move(other.endpoint_)) {}

Listener& Listener::operator=(Listener&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(endpoint_, other.endpoint_);
  return *this;
}

Listener::~Listener() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int Listener::release() {
  return std::exchange(descriptor_, -1);
}

Result<Listener> Listener::bind(const Endpoint& endpoint) {
  Listener listener(TRY(open_any(endpoint, Sharing::shared)), endpoint);
  listener.endpoint_ = TRY(local_endpoint(listener.descriptor_));
  return listener;
}

Result<std::vector<Listener>> Listener::bind_all(const Endpoint& endpoint, std::size_t count) {
  if (endpoint.port != 0) {
    // Whoever shares a port does not notice the others: looked for without sharing, and freed.
    const Listener probe(TRY(open_any(endpoint, Sharing::exclusive)), endpoint);
  }
  std::vector<Listener> listeners;
  Endpoint at = endpoint;
  while (listeners.size() < count) {
    listeners.push_back(TRY(bind(at)));
    at = listeners.front().endpoint();
  }
  return listeners;
}

}  // namespace funcd::http
