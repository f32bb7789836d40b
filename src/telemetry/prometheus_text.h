#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "telemetry/function_metrics.h"

namespace funcd::telemetry {

// What one function has counted, as it stands at a scrape.
struct FunctionSeries {
  std::string function;  // "api/users"
  FunctionMetrics::Totals totals;
  bool is_canary = false;  // of its canary: has the label revision="canary" as well
};

enum class MetricKind : std::uint8_t { counter, gauge };

// One sample of a metric that is no function's. Samples of one name stand together in the text,
// under the help and kind of the first.
struct Sample {
  std::string name;  // "funcd_connections", counters end in "_total"
  std::string help;
  MetricKind kind = MetricKind::gauge;
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

// The content type that goes with the text.
inline constexpr std::string_view kPrometheusContentType =
    "text/plain; version=0.0.4; charset=utf-8";

// The Prometheus text format, version 0.0.4. For each function: funcd_requests_total{function,code}
// (code is "2xx"), funcd_errors_total{function,reason}, funcd_request_duration_seconds (histogram),
// funcd_guest_seconds_total, funcd_request_bytes_total, funcd_response_bytes_total. Classes and
// reasons that have never been seen are left out.
[[nodiscard]] std::string prometheus_text(std::span<const FunctionSeries> functions,
                                          std::span<const Sample> samples);

}  // namespace funcd::telemetry
