#include "telemetry/function_metrics.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace funcd::telemetry {
namespace {

constexpr std::size_t kCacheLineBytes = 64;
constexpr double kNanosecondsPerSecond = 1e9;

using Counter = std::atomic<std::uint64_t>;

// One thread writes each counter, so a load and a store do; a locked add would cost ten times more.
void add(Counter& counter, std::uint64_t amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

std::uint64_t read(const Counter& counter) {
  return counter.load(std::memory_order_relaxed);
}

// Nanoseconds; a clock that went backwards counts as nothing.
std::uint64_t nanoseconds_of(Duration duration) {
  const auto count = std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
}

std::size_t bucket_of(double seconds) {
  const auto* bound = std::lower_bound(kDurationBounds.begin(), kDurationBounds.end(), seconds);
  return static_cast<std::size_t>(bound - kDurationBounds.begin());
}

}  // namespace

// Cells of two workers never share a cache line.
struct alignas(kCacheLineBytes) FunctionMetrics::Cell {
  std::array<Counter, 6> by_status_class{};
  std::array<Counter, kReasonCount> by_reason{};
  std::array<Counter, kDurationBounds.size() + 1> by_duration{};
  Counter elapsed_ns{0};
  Counter guest_ns{0};
  Counter reuses{0};
  Counter bytes_in{0};
  Counter bytes_out{0};
  Counter stderr_bytes_dropped{0};
};

FunctionMetrics::FunctionMetrics(std::size_t workers) {
  CHECK(workers > 0);
  cells_.reserve(workers);
  for (std::size_t worker = 0; worker < workers; ++worker) {
    cells_.push_back(std::make_unique<Cell>());
  }
}

FunctionMetrics::~FunctionMetrics() = default;

void FunctionMetrics::record(std::size_t worker, const InvocationRecord& record) {
  CHECK(worker < cells_.size(), "worker {} of {}", worker, cells_.size());
  Cell& cell = *cells_[worker];
  const int status_class = record.status / 100;
  const bool is_known = status_class > 0 && status_class < 6;
  const std::uint64_t elapsed_ns = nanoseconds_of(record.elapsed);
  add(cell.by_status_class[is_known ? static_cast<std::size_t>(status_class) : 0], 1);
  add(cell.by_reason[static_cast<std::size_t>(record.reason)], 1);
  add(cell.by_duration[bucket_of(static_cast<double>(elapsed_ns) / kNanosecondsPerSecond)], 1);
  add(cell.elapsed_ns, elapsed_ns);
  add(cell.guest_ns, nanoseconds_of(record.guest_elapsed));
  if (record.is_reuse) add(cell.reuses, 1);
  add(cell.bytes_in, record.bytes_in);
  add(cell.bytes_out, record.bytes_out);
  add(cell.stderr_bytes_dropped, record.stderr_bytes_dropped);
}

FunctionMetrics::Totals FunctionMetrics::totals() const {
  Totals totals;
  std::uint64_t elapsed_ns = 0;
  std::uint64_t guest_ns = 0;
  const auto add_all = [](auto& sums, const auto& counters) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += read(counters[i]);
  };
  for (const auto& cell : cells_) {
    add_all(totals.by_status_class, cell->by_status_class);
    add_all(totals.by_reason, cell->by_reason);
    add_all(totals.by_duration, cell->by_duration);
    elapsed_ns += read(cell->elapsed_ns);
    guest_ns += read(cell->guest_ns);
    totals.reuses += read(cell->reuses);
    totals.bytes_in += read(cell->bytes_in);
    totals.bytes_out += read(cell->bytes_out);
    totals.stderr_bytes_dropped += read(cell->stderr_bytes_dropped);
  }
  totals.elapsed_seconds = static_cast<double>(elapsed_ns) / kNanosecondsPerSecond;
  totals.guest_seconds = static_cast<double>(guest_ns) / kNanosecondsPerSecond;
  return totals;
}

std::uint64_t FunctionMetrics::Totals::count() const {
  return std::accumulate(by_status_class.begin(), by_status_class.end(), std::uint64_t{0});
}

}  // namespace funcd::telemetry
