#pragma once

#include <chrono>
#include <cstdint>

namespace funcd::server {

// What the kernel says of this process, at one moment.
struct ProcessStats {
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  double cpu_seconds = 0;  // user and system
  std::uint64_t open_descriptors = 0;
  std::uint64_t descriptors_max = 0;
  std::uint64_t threads = 0;
};

// Zeros where /proc does not say.
[[nodiscard]] ProcessStats read_process_stats();

}  // namespace funcd::server
