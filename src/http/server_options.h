#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace funcd::http {

struct ServerOptions {
  std::size_t header_bytes_max = 64 * 1024;  // request line and fields together: else 431
  std::size_t fields_max = 100;              // else 431
  std::size_t target_bytes_max = 8 * 1024;   // else 414
  std::size_t connections_max = 10'000;      // of this server; one more is closed at once
  // Of bodies, in all sessions: of requests that are collected, of responses that are not read yet.
  std::uint64_t held_bytes_max = 1ULL << 30;
  std::chrono::milliseconds header_timeout{
      10'000};                                      // from a request's first byte to its head's end
  std::chrono::milliseconds body_timeout{30'000};   // between two reads of a body
  std::chrono::milliseconds idle_timeout{75'000};   // between two requests
  std::chrono::milliseconds write_timeout{30'000};  // a client that does not read
};

}  // namespace funcd::http
