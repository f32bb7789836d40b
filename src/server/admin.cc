#include "server/admin.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/check.h"
#include "base/log.h"
#include "contract/query.h"
#include "http/percent.h"
#include "server/admin_json.h"
#include "server/admin_metrics.h"
#include "server/openapi.h"
#include "telemetry/prometheus_text.h"

namespace funcd::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kFunctionPrefix = "/v1/functions/";
constexpr std::string_view kRefreshPath = "/v1/source/refresh";
constexpr std::string_view kLogsSuffix = "/logs";

http::Response json_response(int status, const Json& json) {
  http::Response response;
  response.status = status;
  response.content_type = kJsonType;
  response.body = json_text(json);
  return response;
}

http::Response error_response(int status, std::string_view reason, std::string_view detail) {
  return json_response(status, {{"detail", detail}, {"reason", reason}});
}

http::Response index(const AdminContext& /*context*/) {
  return json_response(200, {{"endpoints",
                              {"/healthz", "/readyz", "/metrics", "/v1/status", "/v1/functions",
                               "/v1/functions/{name}", "/v1/functions/{name}/logs",
                               "/v1/source/refresh", "/openapi.json"}}});
}

// The process lives and its loop turns: that this answers is the answer.
http::Response healthz(const AdminContext& /*context*/) {
  return json_response(200, {{"status", "ok"}});
}

http::Response readyz(const AdminContext& context) {
  const bool is_draining = context.is_draining.load(std::memory_order_relaxed);
  const registry::Status status = context.status();
  const bool is_started = status.is_first_scan_done;
  const bool is_ready = is_started && !is_draining;
  Json json = {{"status", is_draining ? "draining" : is_started ? "ready" : "starting"}};
  if (!is_started && !status.source_error.empty()) json["detail"] = status.source_error;
  return json_response(is_ready ? 200 : 503, json);
}

http::Response metrics(const AdminContext& context) {
  http::Response response;
  response.content_type = telemetry::kPrometheusContentType;
  response.body = metrics_text(context);
  return response;
}

http::Response functions(const AdminContext& context) {
  return json_response(200, functions_json(context));
}

http::Response status(const AdminContext& context) {
  return json_response(200, status_json(context));
}

http::Response openapi(const AdminContext& /*context*/) {
  http::Response response;
  response.content_type = kJsonType;
  response.body = openapi_json();
  return response;
}

// Which entries of a log are wanted: "after=12&limit=50".
struct LogQuery {
  std::uint64_t after = 0;
  std::uint64_t limit = 100;
};

Result<LogQuery> parse_log_query(std::string_view text) {
  LogQuery query;
  contract::QueryReader reader(text);
  while (const auto pair = reader.next()) {
    if (pair->key != "after" && pair->key != "limit") {
      return fail("unknown parameter '{}'; known are after and limit", pair->key);
    }
    std::uint64_t& number = pair->key == "after" ? query.after : query.limit;
    const char* end = pair->value.data() + pair->value.size();
    const auto [read_to, error] = std::from_chars(pair->value.data(), end, number);
    if (error != std::errc() || read_to != end) {
      return fail("parameter '{}': expected a number, got '{}'", pair->key, pair->value);
    }
  }
  if (reader.is_broken()) return fail("the query cannot be decoded");
  return query;
}

// What follows the prefix: "api/users" or "api/users/logs". A function whose own name ends in
// "/logs" is reached with its slash encoded.
http::Response function(const AdminContext& context, std::string_view raw_name,
                        std::string_view query) {
  const bool is_log = raw_name.ends_with(kLogsSuffix);
  if (is_log) raw_name.remove_suffix(kLogsSuffix.size());
  LogQuery wanted;
  if (is_log) {
    const auto parsed = parse_log_query(query);
    if (!parsed) return error_response(400, "bad-request", parsed.error().message);
    wanted = *parsed;
  }
  const auto name = http::percent_decode(raw_name);
  const auto json = !name    ? Json()
                    : is_log ? logs_json(context, *name, wanted.after, wanted.limit)
                             : function_json(context, *name);
  if (json.is_null()) {
    return error_response(404, "not-found",
                          fmt::format("no function '{}'; /v1/functions lists all", raw_name));
  }
  return json_response(200, json);
}

http::Response not_allowed(std::string_view method, std::string_view allowed) {
  auto response = error_response(
      405, "method-not-allowed",
      fmt::format("{} is not allowed here, {} is", method, allowed.substr(0, allowed.find(','))));
  const bool is_added = response.fields.add("allow", allowed);
  CHECK(is_added);
  return response;
}

// Has the bucket looked at now. Answers at once: what comes of it, status and functions tell.
http::Response refresh(const AdminContext& context) {
  const auto json = [&context](std::string_view detail) -> Json {
    return {{"source", context.status().source}, {"detail", detail}};
  };
  if (!context.refresh) return json_response(200, json("a folder is watched: nothing to do"));
  context.refresh();
  return json_response(202, json("the bucket is looked at now"));
}

struct Endpoint {
  std::string_view path;
  http::Response (*answer)(const AdminContext& context);
};
constexpr std::array<Endpoint, 7> kEndpoints = {{
    {"/", index},
    {"/healthz", healthz},
    {"/readyz", readyz},
    {"/metrics", metrics},
    {"/v1/functions", functions},
    {"/v1/status", status},
    {"/openapi.json", openapi},
}};

}  // namespace

void Admin::on_request(http::Exchange& exchange) {
  exchange.respond(answer(exchange.head()));
}

void Admin::on_refused(int status) {
  log::debug("admin.refused", {{"status", std::to_string(status)}});
}

http::Response Admin::answer(const http::RequestHead& head) const {
  const auto* endpoint = std::ranges::find(kEndpoints, head.path, &Endpoint::path);
  const bool is_function = head.path.starts_with(kFunctionPrefix);
  if (head.path == kRefreshPath) {
    return head.method == "POST" ? refresh(context_) : not_allowed(head.method, "POST");
  }
  if (endpoint == kEndpoints.end() && !is_function) {
    return error_response(404, "not-found",
                          fmt::format("nothing at {}; /openapi.json lists all", head.path));
  }
  if (head.method != "GET" && head.method != "HEAD") {
    return not_allowed(head.method, "GET, HEAD");
  }
  if (is_function) {
    return function(context_, head.path.substr(kFunctionPrefix.size()), head.query);
  }
  return endpoint->answer(context_);
}

}  // namespace funcd::server
