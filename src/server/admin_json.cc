#include "server/admin_json.h"

#include <unistd.h>

#include <string_view>
#include <unordered_map>

#include "base/time_text.h"
#include "server/process_stats.h"

namespace funcd::server {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

Json invocations_json(const telemetry::FunctionMetrics::Totals& totals) {
  Json by_status = Json::object();
  for (std::size_t i = 1; i < totals.by_status_class.size(); ++i) {
    by_status[fmt::format("{}xx", i)] = totals.by_status_class[i];
  }
  Json by_reason = Json::object();
  for (std::size_t i = 1; i < totals.by_reason.size(); ++i) {
    if (totals.by_reason[i] == 0) continue;
    by_reason[std::string(name_of(static_cast<Reason>(i)))] = totals.by_reason[i];
  }
  return {{"count", totals.count()},
          {"by_status", by_status},
          {"by_reason", by_reason},
          {"elapsed_seconds", totals.elapsed_seconds},
          {"guest_seconds", totals.guest_seconds},
          {"bytes_in", totals.bytes_in},
          {"bytes_out", totals.bytes_out}};
}

Json problem_entry(const registry::Problem& problem) {
  return {{"path", problem.path}, {"message", problem.message}};
}

Json function_entry(const registry::FunctionStatus& status, const registry::Revision* revision,
                    std::string_view base_url) {
  Json json = {{"name", status.name},
               {"state", std::string(name_of(status.state))},
               {"contract", text_or_null(status.contract)},
               {"host", nullptr},
               {"route", text_or_null(status.route)},
               {"url", nullptr},
               {"methods", nullptr},
               {"limits", nullptr},
               {"reuse", nullptr},
               {"digest", text_or_null(status.digest)},
               {"sidecar_digest", nullptr},
               {"schema_digests", nullptr},
               {"artifact_bytes", status.artifact_bytes},
               {"published_at", nullptr},
               {"build_ms", nullptr},
               {"from_cache", status.is_from_cache},
               {"code", text_or_null(status.code)},
               {"error", text_or_null(status.error)},
               {"failed_at", nullptr},
               {"snapshot", nullptr},
               {"is_loaded", false},
               {"in_flight", 0},
               {"canary", nullptr}};
  if (const auto canary = registry::canary_name_of(status.name)) {
    json["canary"] = {{"of", canary->function},
                      {"number", canary->number},
                      {"weight", nullptr},
                      {"sticky", nullptr}};
  }
  if (!status.error.empty()) json["failed_at"] = format_time(status.failed_at);
  if (!status.digest.empty()) {
    json["published_at"] = format_time(status.published_at);
    json["build_ms"] = static_cast<double>(status.build_elapsed.count()) / 1000;
  }
  if (revision == nullptr) return json;
  if (!base_url.empty()) json["url"] = fmt::format("{}{}", base_url, revision->route);
  json["host"] = text_or_null(revision->manifest.host);
  json["sidecar_digest"] = text_or_null(revision->sidecar_digest);
  json["schema_digests"] = Json::object();
  for (const auto& [path, digest] : revision->schema_digests) json["schema_digests"][path] = digest;
  json["methods"] = revision->manifest.methods;
  json["limits"] = limits_json(revision->manifest.limits);
  json["reuse"] = revision->manifest.reuse;
  json["snapshot"] = snapshot_json(*revision);
  json["is_loaded"] = revision->program != nullptr && revision->program->is_loaded();
  json["in_flight"] = revision->function->in_flight.load(std::memory_order_relaxed);
  if (const auto& canary = revision->manifest.canary) {
    json["canary"]["weight"] = registry::format_weight(canary->weight);
    json["canary"]["sticky"] = registry::format_stickiness(canary->sticky);
  }
  return json;
}

// What only the details of one function show. Values of the environment may be secrets: names only.
void add_details(Json& json, const registry::Revision& revision) {
  json["env"] = Json::array();
  for (const auto& [name, value] : revision.manifest.env) json["env"].push_back(name);
  json["mounts"] = Json::array();
  for (const auto& mount : revision.mounts) {
    json["mounts"].push_back(
        {{"host", mount.host}, {"guest", mount.guest}, {"writable", mount.is_writable}});
  }
  json["invocations"] = invocations_json(revision.function->metrics.totals());
}

// Kept by the catalog.
const registry::Revision* revision_of(const registry::Catalog* catalog, std::string_view name) {
  return catalog == nullptr ? nullptr : catalog->find_title(name).get();
}

Json counts_by_state(const registry::Status& status) {
  using registry::FunctionState;
  Json counts = Json::object();
  for (const auto state : {FunctionState::live, FunctionState::stale, FunctionState::failed,
                           FunctionState::building}) {
    counts[std::string(name_of(state))] =
        std::ranges::count(status.functions, state, &registry::FunctionStatus::state);
  }
  return counts;
}

Json problems_json(const registry::Status& status) {
  Json problems = Json::array();
  for (const auto& problem : status.problems) problems.push_back(problem_entry(problem));
  return problems;
}

Json log_entry(const telemetry::LogEntry& entry) {
  Json json = {{"number", entry.number},
               {"at", format_time(entry.at)},
               {"invocation", telemetry::invocation_id_text(entry.invocation)},
               {"status", entry.status},
               {"reason", text_or_null(std::string(name_of(entry.reason)))},
               {"detail", text_or_null(entry.detail)},
               {"trace", text_or_null(entry.trace)},
               {"stderr", text_or_null(entry.stderr_text)}};
  return json;
}

Json bucket_json(const source::BucketStatus& bucket) {
  const auto time_or_null = [](const std::optional<source::BucketStatus::Time>& time) {
    return time ? Json(format_time(*time)) : Json();
  };
  return {{"endpoint", bucket.endpoint},
          {"state", bucket.away_since  ? "away"
                    : bucket.synced_at ? "current"
                                       : "starting"},
          {"synced_at", time_or_null(bucket.synced_at)},
          {"away_since", time_or_null(bucket.away_since)},
          {"error", text_or_null(bucket.error)},
          {"objects", bucket.objects},
          {"bytes", bucket.bytes},
          {"looks", bucket.looks},
          {"failures", bucket.failures},
          {"bytes_read", bucket.bytes_read},
          {"poll_ms", bucket.poll.count()},
          {"copy", bucket.folder}};
}

}  // namespace

Json snapshot_json(const registry::Revision& revision) {
  const registry::SnapshotUse& use = revision.snapshot;
  if (!use.is_wanted) return nullptr;
  return {{"used", use.is_used},
          {"reason", text_or_null(use.reason)},
          {"asked_for", engine::names_of(revision.program->facts().asked_before)}};
}

Json limits_json(const registry::Limits& limits) {
  return {{"timeout_ms", limits.timeout.count()},
          {"memory_bytes", limits.memory_bytes},
          {"request_body_bytes", limits.request_body_bytes},
          {"response_body_bytes", limits.response_body_bytes},
          {"stderr_bytes", limits.stderr_bytes},
          {"concurrency", limits.concurrency}};
}

Json functions_json(const registry::Status& status, const registry::Catalog* catalog,
                    std::string_view base_url) {
  std::unordered_map<std::string_view, const registry::Revision*> revisions;
  if (catalog != nullptr) {
    for (const auto among : {catalog->revisions(), catalog->canaries()}) {
      for (const auto& revision : among) {
        if (revision != nullptr) revisions.emplace(revision->function->title, revision.get());
      }
    }
  }
  Json functions = Json::array();
  for (const auto& function : status.functions) {
    const auto found = revisions.find(function.name);
    functions.push_back(
        function_entry(function, found == revisions.end() ? nullptr : found->second, base_url));
  }
  return {{"functions", functions}, {"problems", problems_json(status)}};
}

Json functions_json(const AdminContext& context) {
  // The catalog first: what is live in it is live in a status that is read later.
  const auto catalog = context.catalog();
  return functions_json(context.status(), catalog.get(), context.facts.listen_url);
}

Json function_json(const AdminContext& context, std::string_view name) {
  const auto catalog = context.catalog();
  const auto status = context.status();
  const auto found = std::ranges::find(status.functions, name, &registry::FunctionStatus::name);
  if (found == status.functions.end()) return nullptr;
  const auto* revision = revision_of(catalog.get(), name);
  auto json = function_entry(*found, revision, context.facts.listen_url);
  if (revision != nullptr) add_details(json, *revision);
  return json;
}

Json logs_json(const AdminContext& context, std::string_view name, std::uint64_t after,
               std::size_t count_max) {
  const auto catalog = context.catalog();
  const auto status = context.status();
  if (std::ranges::find(status.functions, name, &registry::FunctionStatus::name) ==
      status.functions.end()) {
    return nullptr;
  }
  telemetry::FunctionLog::Page page;
  if (const auto* revision = revision_of(catalog.get(), name)) {
    page = revision->function->log.read(after, count_max);
  }
  Json entries = Json::array();
  for (const auto& entry : page.entries) entries.push_back(log_entry(entry));
  return {{"function", name}, {"last_number", page.last_number}, {"entries", entries}};
}

Json status_json(const AdminContext& context) {
  const auto& facts = context.facts;
  const auto status = context.status();
  const auto stats = context.stats();
  const auto uptime = std::chrono::system_clock::now() - facts.started_at;
  return {{"version", facts.version},
          {"started_at", format_time(facts.started_at)},
          {"uptime_seconds", std::chrono::duration_cast<std::chrono::seconds>(uptime).count()},
          {"pid", ::getpid()},
          {"listen", facts.listen_url},
          {"admin", facts.admin_url},
          {"config_file", text_or_null(facts.config_file)},
          {"workers", facts.workers},
          {"source", status.source},
          {"source_path", text_or_null(facts.source_path)},
          {"source_error", text_or_null(status.source_error)},
          {"bucket", context.bucket ? bucket_json(context.bucket()) : Json()},
          {"is_first_scan_done", status.is_first_scan_done},
          {"is_draining", context.is_draining.load(std::memory_order_relaxed)},
          {"functions", counts_by_state(status)},
          {"problems", problems_json(status)},
          {"engine",
           {{"instances_max", facts.instances_max}, {"fingerprint", facts.engine_fingerprint}}},
          {"programs",
           {{"loaded", stats.programs_loaded},
            {"loads", stats.program_loads},
            {"unloads", stats.program_unloads}}},
          {"requests_in_flight", stats.requests_in_flight},
          {"requests_waiting", stats.requests_waiting},
          {"connections_open", stats.connections_open},
          {"rss_bytes", read_process_stats().resident_bytes}};
}

std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace funcd::server
