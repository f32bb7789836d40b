#pragma once

#include <atomic>
#include <cstdint>

namespace funcd::http {

// A number that one thread changes and any thread reads.
class Counter {
 public:
  // The writer's thread only: no read-modify-write is needed, nor paid for.
  void add(std::uint64_t amount = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t amount = 1) { add(~amount + 1); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// What a server has seen, for metrics. Written by its loop's thread, read by any.
struct ServerCounters {
  Counter connections_open;      // now
  Counter connections_accepted;  // those refused included
  Counter connections_refused;   // one more than connections_max
  Counter accept_failures;       // no descriptor or memory left
  Counter requests;              // heads that reached the handler
  Counter requests_refused;      // answered without the handler
  Counter hangups;               // clients that left before their response
  Counter timeouts;              // header, body, write; not idle
  Counter bytes_in;
  Counter bytes_out;
};

}  // namespace funcd::http
