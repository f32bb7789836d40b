#include "telemetry/prometheus_text.h"

#include <fmt/format.h>
#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <sstream>

namespace funcd::telemetry {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(std::string name, std::string help, MetricType type) {
  MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

// Of canaries one label more, and of all canaries that a function has had the same: what is counted
// of one function makes two series at the most.
ClientMetric labelled(const FunctionSeries& series) {
  ClientMetric metric;
  metric.label.push_back({"function", series.function});
  if (series.is_canary) metric.label.push_back({"revision", "canary"});
  return metric;
}

void add_counter(MetricFamily& to, const FunctionSeries& series, double value) {
  ClientMetric metric = labelled(series);
  metric.counter.value = value;
  to.metric.push_back(std::move(metric));
}

void add_requests(MetricFamily& to, const FunctionSeries& series) {
  for (std::size_t i = 0; i < series.totals.by_status_class.size(); ++i) {
    const std::uint64_t count = series.totals.by_status_class[i];
    if (count == 0) continue;
    ClientMetric metric = labelled(series);
    metric.label.push_back({"code", i == 0 ? "none" : fmt::format("{}xx", i)});
    metric.counter.value = static_cast<double>(count);
    to.metric.push_back(std::move(metric));
  }
}

void add_errors(MetricFamily& to, const FunctionSeries& series) {
  for (std::size_t i = 1; i < kReasonCount; ++i) {
    const std::uint64_t count = series.totals.by_reason[i];
    if (count == 0) continue;
    ClientMetric metric = labelled(series);
    metric.label.push_back({"reason", std::string(name_of(static_cast<Reason>(i)))});
    metric.counter.value = static_cast<double>(count);
    to.metric.push_back(std::move(metric));
  }
}

void add_durations(MetricFamily& to, const FunctionSeries& series) {
  ClientMetric metric = labelled(series);
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < series.totals.by_duration.size(); ++i) {
    cumulative += series.totals.by_duration[i];
    const bool is_last = i == kDurationBounds.size();
    metric.histogram.bucket.push_back(
        {cumulative, is_last ? std::numeric_limits<double>::infinity() : kDurationBounds[i]});
  }
  // The same sum as the last bucket's, as the format demands, even while requests are counted.
  metric.histogram.sample_count = cumulative;
  metric.histogram.sample_sum = series.totals.elapsed_seconds;
  to.metric.push_back(std::move(metric));
}

std::vector<MetricFamily> families_of(std::span<const FunctionSeries> functions) {
  std::vector<MetricFamily> families = {
      family("funcd_requests_total", "Requests answered, by class of status.", MetricType::Counter),
      family("funcd_errors_total", "Requests that failed, by reason.", MetricType::Counter),
      family("funcd_request_duration_seconds", "From the head of a request to its response.",
             MetricType::Histogram),
      family("funcd_guest_seconds_total", "Time that the function's code had the CPU.",
             MetricType::Counter),
      family("funcd_request_bytes_total", "Bytes of request bodies.", MetricType::Counter),
      family("funcd_response_bytes_total", "Bytes of response bodies.", MetricType::Counter),
      family("funcd_stderr_dropped_bytes_total", "Bytes of stderr over the function's limit.",
             MetricType::Counter),
      family("funcd_reused_total", "Requests whose instance had answered another before.",
             MetricType::Counter),
  };
  for (const FunctionSeries& series : functions) {
    add_requests(families[0], series);
    add_errors(families[1], series);
    add_durations(families[2], series);
    add_counter(families[3], series, series.totals.guest_seconds);
    add_counter(families[4], series, static_cast<double>(series.totals.bytes_in));
    add_counter(families[5], series, static_cast<double>(series.totals.bytes_out));
    add_counter(families[6], series, static_cast<double>(series.totals.stderr_bytes_dropped));
    add_counter(families[7], series, static_cast<double>(series.totals.reuses));
  }
  return families;
}

void add_sample(std::vector<MetricFamily>& families, const Sample& sample) {
  auto found = std::find_if(families.begin(), families.end(),
                            [&](const MetricFamily& each) { return each.name == sample.name; });
  const bool is_counter = sample.kind == MetricKind::counter;
  if (found == families.end()) {
    families.push_back(
        family(sample.name, sample.help, is_counter ? MetricType::Counter : MetricType::Gauge));
    found = families.end() - 1;
  }
  ClientMetric metric;
  for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
  metric.counter.value = sample.value;
  metric.gauge.value = sample.value;
  found->metric.push_back(std::move(metric));
}

}  // namespace

std::string prometheus_text(std::span<const FunctionSeries> functions,
                            std::span<const Sample> samples) {
  std::vector<MetricFamily> families = families_of(functions);
  for (const Sample& sample : samples) add_sample(families, sample);
  std::erase_if(families, [](const MetricFamily& each) { return each.metric.empty(); });
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return std::move(out).str();
}

}  // namespace funcd::telemetry
