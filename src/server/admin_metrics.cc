#include "server/admin_metrics.h"

#include <algorithm>

#include "server/process_stats.h"
#include "telemetry/prometheus_text.h"

namespace funcd::server {
namespace {

using telemetry::MetricKind;
using telemetry::Sample;
using Samples = std::vector<Sample>;
using Labels = std::vector<std::pair<std::string, std::string>>;

template <class Number>
void gauge(Samples& to, std::string name, std::string help, Number value, Labels labels = {}) {
  to.push_back({std::move(name), std::move(help), MetricKind::gauge, std::move(labels),
                static_cast<double>(value)});
}
template <class Number>
void counter(Samples& to, std::string name, std::string help, Number value, Labels labels = {}) {
  to.push_back({std::move(name), std::move(help), MetricKind::counter, std::move(labels),
                static_cast<double>(value)});
}

void add_process(Samples& to, const ServerFacts& facts) {
  const auto stats = read_process_stats();
  const auto started = std::chrono::duration<double>(facts.started_at.time_since_epoch());
  gauge(to, "funcd_build_info", "The version that runs.", 1, {{"version", facts.version}});
  counter(to, "process_cpu_seconds_total", "User and system time.", stats.cpu_seconds);
  gauge(to, "process_resident_memory_bytes", "Memory in RAM.", stats.resident_bytes);
  gauge(to, "process_virtual_memory_bytes", "Address space.", stats.virtual_bytes);
  gauge(to, "process_open_fds", "Open file descriptors.", stats.open_descriptors);
  gauge(to, "process_max_fds", "File descriptors allowed.", stats.descriptors_max);
  gauge(to, "process_threads", "Threads.", stats.threads);
  gauge(to, "process_start_time_seconds", "Since the epoch.", started.count());
}

void add_server(Samples& to, const AdminContext& context) {
  const auto stats = context.stats();
  gauge(to, "funcd_workers", "Worker threads.", context.facts.workers);
  gauge(to, "funcd_instances_max", "Instances that may be alive at once.",
        context.facts.instances_max);
  gauge(to, "funcd_instances_idle", "Instances that wait for another request.",
        stats.instances_idle);
  gauge(to, "funcd_programs_loaded", "Programs in memory.", stats.programs_loaded);
  counter(to, "funcd_program_loads_total", "Programs loaded from the cache of compiled code.",
          stats.program_loads);
  counter(to, "funcd_program_unloads_total",
          "Programs dropped from memory, not used for unload_after or for want of room.",
          stats.program_unloads);
  gauge(to, "funcd_draining", "1 from SIGTERM on.",
        context.is_draining.load(std::memory_order_relaxed) ? 1 : 0);
  gauge(to, "funcd_requests_in_flight", "Invocations that run now.", stats.requests_in_flight);
  gauge(to, "funcd_requests_waiting", "Requests that wait for their turn.", stats.requests_waiting);
  gauge(to, "funcd_connections", "Open connections.", stats.connections_open);
  counter(to, "funcd_connections_accepted_total", "Connections accepted.",
          stats.connections_accepted);
  counter(to, "funcd_connections_refused_total", "Connections closed at once, over the limit.",
          stats.connections_refused);
  counter(to, "funcd_accept_failures_total", "Connections lost for want of descriptors or memory.",
          stats.accept_failures);
  counter(to, "funcd_http_timeouts_total", "Clients that were too slow: header, body, response.",
          stats.timeouts);
  counter(to, "funcd_http_hangups_total", "Clients that left before their response.",
          stats.hangups);
  for (const auto& [status, count] : stats.refused) {
    counter(to, "funcd_http_refused_total", "Requests refused before a function was looked for.",
            count, {{"status", std::to_string(status)}});
  }
  for (const auto& [reason, count] : stats.unmatched) {
    counter(to, "funcd_requests_unmatched_total", "Requests that met no function.", count,
            {{"reason", reason}});
  }
}

void add_registry(Samples& to, const registry::Status& status) {
  using registry::FunctionState;
  for (const auto state : {FunctionState::live, FunctionState::stale, FunctionState::failed,
                           FunctionState::building}) {
    gauge(to, "funcd_functions", "Functions by state.",
          std::ranges::count(status.functions, state, &registry::FunctionStatus::state),
          {{"state", std::string(name_of(state))}});
  }
  gauge(to, "funcd_problems", "Files that are reported and not served.", status.problems.size());
  gauge(to, "funcd_source_readable", "0 while the source cannot be read.",
        status.source_error.empty() ? 1 : 0);
}

void add_bucket(Samples& to, const source::BucketStatus& bucket) {
  const auto seconds = [](const source::BucketStatus::Time& time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
  };
  counter(to, "funcd_bucket_looks_total", "Looks at the bucket.", bucket.looks);
  counter(to, "funcd_bucket_failures_total", "Looks at the bucket that failed.", bucket.failures);
  counter(to, "funcd_bucket_read_bytes_total", "Bytes of objects read.", bucket.bytes_read);
  gauge(to, "funcd_bucket_objects", "Objects in the last good copy.", bucket.objects);
  gauge(to, "funcd_bucket_bytes", "Bytes of the last good copy.", bucket.bytes);
  gauge(to, "funcd_bucket_synced_timestamp_seconds",
        "When the bucket was last seen whole; 0: never.",
        bucket.synced_at ? seconds(*bucket.synced_at) : 0.0);
}

void add_function(std::vector<telemetry::FunctionSeries>& series, Samples& samples,
                  const registry::Function& function) {
  const bool is_canary = function.canary != 0;
  series.push_back({function.name, function.metrics.totals(), is_canary});
  Labels labels = {{"function", function.name}};
  if (is_canary) labels.emplace_back("revision", "canary");
  gauge(samples, "funcd_function_in_flight", "Invocations of a function that run now.",
        function.in_flight.load(std::memory_order_relaxed), std::move(labels));
}

}  // namespace

std::string metrics_text(const AdminContext& context) {
  Samples samples;
  add_process(samples, context.facts);
  add_server(samples, context);
  add_registry(samples, context.status());
  if (context.bucket) add_bucket(samples, context.bucket());
  std::vector<telemetry::FunctionSeries> functions;
  if (const auto catalog = context.catalog()) {
    for (const auto& revision : catalog->revisions()) {
      add_function(functions, samples, *revision->function);
    }
    for (const auto& canary : catalog->canaries()) {
      if (canary == nullptr) continue;
      add_function(functions, samples, *canary->function);
      gauge(samples, "funcd_canary_weight", "Share of a function's requests that its canary gets.",
            static_cast<double>(canary->manifest.canary->weight) / registry::kWholeWeight,
            {{"function", canary->function->name}});
    }
  }
  return telemetry::prometheus_text(functions, samples);
}

}  // namespace funcd::server
