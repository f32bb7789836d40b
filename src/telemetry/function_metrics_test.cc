#include "telemetry/function_metrics.h"

#include <gtest/gtest.h>

#include <thread>

namespace funcd::telemetry {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

InvocationRecord record_of(int status, Reason reason, Duration elapsed) {
  return {.status = status, .reason = reason, .elapsed = elapsed};
}

TEST(FunctionMetrics, TotalsAddTheWorkersUp) {
  FunctionMetrics metrics(2);
  metrics.record(0, {.id = 1,
                     .status = 200,
                     .elapsed = microseconds(40),
                     .guest_elapsed = microseconds(30),
                     .bytes_in = 10,
                     .bytes_out = 63});
  metrics.record(1, {.id = 2,
                     .status = 504,
                     .reason = Reason::time_limit,
                     .elapsed = seconds(2),
                     .guest_elapsed = seconds(1),
                     .bytes_in = 5,
                     .bytes_out = 7});
  const FunctionMetrics::Totals totals = metrics.totals();
  EXPECT_EQ(totals.count(), 2U);
  EXPECT_EQ(totals.by_status_class[2], 1U);
  EXPECT_EQ(totals.by_status_class[5], 1U);
  EXPECT_EQ(totals.by_reason[static_cast<std::size_t>(Reason::time_limit)], 1U);
  EXPECT_EQ(totals.by_reason[static_cast<std::size_t>(Reason::none)], 1U);
  EXPECT_DOUBLE_EQ(totals.elapsed_seconds, 2.00004);
  EXPECT_DOUBLE_EQ(totals.guest_seconds, 1.00003);
  EXPECT_EQ(totals.bytes_in, 15U);
  EXPECT_EQ(totals.bytes_out, 70U);
}

TEST(FunctionMetrics, DurationOnABoundCountsBelowIt) {
  FunctionMetrics metrics(1);
  metrics.record(0, record_of(200, Reason::none, microseconds(10)));  // the first bound itself
  metrics.record(0, record_of(200, Reason::none, std::chrono::nanoseconds(10'001)));
  metrics.record(0, record_of(200, Reason::none, seconds(10)));
  metrics.record(0, record_of(200, Reason::none, milliseconds(10'001)));
  metrics.record(0, record_of(200, Reason::none, seconds(-1)));
  const FunctionMetrics::Totals totals = metrics.totals();
  EXPECT_EQ(totals.by_duration[0], 2U);
  EXPECT_EQ(totals.by_duration[1], 1U);
  EXPECT_EQ(totals.by_duration[kDurationBounds.size() - 1], 1U);
  EXPECT_EQ(totals.by_duration[kDurationBounds.size()], 1U);
}

TEST(FunctionMetrics, StatusOutsideOfTheClassesCountsAsNone) {
  FunctionMetrics metrics(1);
  metrics.record(0, record_of(0, Reason::cancelled, Duration::zero()));
  metrics.record(0, record_of(700, Reason::internal, Duration::zero()));
  EXPECT_EQ(metrics.totals().by_status_class[0], 2U);
  EXPECT_EQ(metrics.totals().count(), 2U);
}

TEST(FunctionMetrics, NothingIsLostWhileWorkersAndScrapesRun) {
  constexpr std::size_t kWorkers = 3;
  constexpr std::uint64_t kEach = 20'000;
  FunctionMetrics metrics(kWorkers);
  std::vector<std::jthread> threads;
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    threads.emplace_back([&metrics, worker] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        metrics.record(worker, {.status = 200, .bytes_out = 2});
      }
    });
  }
  std::uint64_t seen = 0;
  while (seen < kWorkers * kEach) {
    const std::uint64_t now = metrics.totals().count();
    ASSERT_GE(now, seen);
    seen = now;
  }
  threads.clear();
  EXPECT_EQ(metrics.totals().bytes_out, 2 * kWorkers * kEach);
}

}  // namespace
}  // namespace funcd::telemetry
