#include "server/admin.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/check.h"
#include "base/log.h"
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
                               "/v1/functions/{name}", "/openapi.json"}}});
}

// The process lives and its loop turns: that this answers is the answer.
http::Response healthz(const AdminContext& /*context*/) {
  return json_response(200, {{"status", "ok"}});
}

http::Response readyz(const AdminContext& context) {
  const bool is_draining = context.is_draining.load(std::memory_order_relaxed);
  const bool is_started = context.status().is_first_scan_done;
  const bool is_ready = is_started && !is_draining;
  return json_response(is_ready ? 200 : 503, {{"status", is_draining  ? "draining"
                                                         : is_started ? "ready"
                                                                      : "starting"}});
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

http::Response function(const AdminContext& context, std::string_view raw_name) {
  const auto name = http::percent_decode(raw_name);
  const auto json = name ? function_json(context, *name) : Json();
  if (json.is_null()) {
    return error_response(404, "not-found",
                          fmt::format("no function '{}'; /v1/functions lists all", raw_name));
  }
  return json_response(200, json);
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
  log::write(log::Level::debug, "admin request refused", {{"status", std::to_string(status)}});
}

http::Response Admin::answer(const http::RequestHead& head) const {
  const auto* endpoint = std::ranges::find(kEndpoints, head.path, &Endpoint::path);
  const bool is_function = head.path.starts_with(kFunctionPrefix);
  if (endpoint == kEndpoints.end() && !is_function) {
    return error_response(404, "not-found",
                          fmt::format("nothing at {}; /openapi.json lists all", head.path));
  }
  if (head.method != "GET" && head.method != "HEAD") {
    auto response = error_response(405, "method-not-allowed",
                                   fmt::format("{} is not allowed here, GET is", head.method));
    const bool is_added = response.fields.add("allow", "GET, HEAD");
    CHECK(is_added);
    return response;
  }
  if (is_function) return function(context_, head.path.substr(kFunctionPrefix.size()));
  return endpoint->answer(context_);
}

}  // namespace funcd::server
