#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "telemetry/reason.h"

namespace funcd::telemetry {

// One run of a function, complete: what is counted, and what the access log prints.
struct InvocationRecord {
  std::uint64_t id = 0;
  int status = 0;
  Reason reason = Reason::none;
  Duration elapsed{};        // from the head of the request to the response
  Duration guest_elapsed{};  // of which the guest had the CPU
  bool is_reuse = false;     // of an instance that has answered another request
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t stderr_bytes_dropped = 0;  // over the function's limit
};

// Upper bounds of the duration histogram, in seconds (Prometheus `le`).
inline constexpr std::array<double, 14> kDurationBounds = {
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001,
    0.005,   0.01,     0.05,    0.1,    0.5,     1.0,    10.0};

// Counters of one function, a cell per worker: each worker writes its own, a scrape adds them up.
class FunctionMetrics {
 public:
  explicit FunctionMetrics(std::size_t workers);
  ~FunctionMetrics();
  FunctionMetrics(const FunctionMetrics&) = delete;
  FunctionMetrics& operator=(const FunctionMetrics&) = delete;

  // From worker `worker`'s thread only.
  void record(std::size_t worker, const InvocationRecord& record);

  struct Totals {
    std::array<std::uint64_t, 6> by_status_class{};  // [2] is 2xx
    std::array<std::uint64_t, kReasonCount> by_reason{};
    std::array<std::uint64_t, kDurationBounds.size() + 1> by_duration{};  // not cumulative
    double elapsed_seconds = 0;
    double guest_seconds = 0;
    std::uint64_t reuses = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t stderr_bytes_dropped = 0;
    [[nodiscard]] std::uint64_t count() const;
  };
  // From any thread; each number is exact, numbers of one moment may differ by what runs.
  [[nodiscard]] Totals totals() const;

 private:
  struct Cell;
  std::vector<std::unique_ptr<Cell>> cells_;
};

}  // namespace funcd::telemetry
