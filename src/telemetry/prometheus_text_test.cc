#include "telemetry/prometheus_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace funcd::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

FunctionSeries series_of(const std::string& name) {
  FunctionMetrics metrics(1);
  metrics.record(0, {.status = 200,
                     .elapsed = std::chrono::microseconds(20),
                     .guest_elapsed = std::chrono::milliseconds(250),
                     .bytes_in = 3,
                     .bytes_out = 63,
                     .stderr_bytes_dropped = 5});
  metrics.record(0, {.status = 500, .reason = Reason::trap, .elapsed = std::chrono::seconds(20)});
  return {name, metrics.totals()};
}

TEST(PrometheusText, FunctionsHaveCountersAndAHistogram) {
  const std::vector<FunctionSeries> functions = {series_of("api/users"), series_of("hello")};
  const std::string text = prometheus_text(functions, {});
  for (const char* line : {
           "# TYPE funcd_requests_total counter\n",
           "funcd_requests_total{function=\"api/users\",code=\"2xx\"} 1\n",
           "funcd_requests_total{function=\"hello\",code=\"5xx\"} 1\n",
           "funcd_errors_total{function=\"hello\",reason=\"trap\"} 1\n",
           "# TYPE funcd_request_duration_seconds histogram\n",
           "funcd_request_duration_seconds_count{function=\"hello\"} 2\n",
           "funcd_request_duration_seconds_bucket{function=\"hello\",le=\"1e-05\"} 0\n",
           "funcd_request_duration_seconds_bucket{function=\"hello\",le=\"10\"} 1\n",
           "funcd_request_duration_seconds_bucket{function=\"hello\",le=\"+Inf\"} 2\n",
           "funcd_guest_seconds_total{function=\"hello\"} 0.25\n",
           "funcd_request_bytes_total{function=\"hello\"} 3\n",
           "funcd_response_bytes_total{function=\"hello\"} 63\n",
           "funcd_stderr_dropped_bytes_total{function=\"hello\"} 5\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("4xx")));
  EXPECT_THAT(text, Not(HasSubstr("time-limit")));
}

TEST(PrometheusText, ACanaryCountsUnderItsFunction) {
  std::vector<FunctionSeries> functions = {series_of("hello"), series_of("hello")};
  functions[1].is_canary = true;
  const std::string text = prometheus_text(functions, {});
  for (const char* line : {
           "funcd_requests_total{function=\"hello\",code=\"2xx\"} 1\n",
           "funcd_requests_total{function=\"hello\",revision=\"canary\",code=\"2xx\"} 1\n",
           "funcd_guest_seconds_total{function=\"hello\",revision=\"canary\"} 0.25\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(PrometheusText, SamplesOfOneNameStandTogether) {
  const std::vector<Sample> samples = {
      {"funcd_connections", "Open connections.", MetricKind::gauge, {{"worker", "0"}}, 3},
      {"funcd_builds_total", "Builds.", MetricKind::counter, {}, 7},
      {"funcd_connections", "Open connections.", MetricKind::gauge, {{"worker", "1"}}, 4},
  };
  EXPECT_EQ(prometheus_text({}, samples),
            "# HELP funcd_connections Open connections.\n"
            "# TYPE funcd_connections gauge\n"
            "funcd_connections{worker=\"0\"} 3\n"
            "funcd_connections{worker=\"1\"} 4\n"
            "# HELP funcd_builds_total Builds.\n"
            "# TYPE funcd_builds_total counter\n"
            "funcd_builds_total 7\n");
}

TEST(PrometheusText, LabelsAreEscaped) {
  const std::vector<Sample> samples = {
      {"funcd_info", "Info.", MetricKind::gauge, {{"version", "a\"b\\c\nd"}}, 1}};
  EXPECT_THAT(prometheus_text({}, samples),
              HasSubstr("funcd_info{version=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

}  // namespace
}  // namespace funcd::telemetry
