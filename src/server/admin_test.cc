#include "server/admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/openapi.h"

namespace funcd::server {
namespace {

using Json = nlohmann::ordered_json;
using registry::FunctionState;
using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<const registry::Revision> revision_of(const std::string& name) {
  auto revision = std::make_shared<registry::Revision>();
  revision->function = std::make_shared<registry::Function>(name, 1);
  revision->digest = std::string(64, 'a');
  revision->route = "/" + name;
  revision->contract = registry::ContractKind::data;
  revision->manifest.methods = {"GET", "POST"};
  revision->manifest.env = {{"TOKEN", "hush"}};
  revision->schema_digests = {{"user.json", std::string(64, 'b')}};
  revision->mounts = {{.host = "/srv/data", .guest = "/data", .is_writable = false}};
  revision->function->metrics.record(
      0, {.status = 500, .reason = Reason::trap, .elapsed = std::chrono::milliseconds(3)});
  return revision;
}

registry::FunctionStatus live_status(const std::string& name) {
  registry::FunctionStatus status;
  status.name = name;
  status.state = FunctionState::live;
  status.route = "/" + name;
  status.contract = "data";
  status.digest = std::string(64, 'a');
  status.artifact_bytes = 1234;
  status.published_at = std::chrono::system_clock::time_point(std::chrono::seconds(1'767'323'045));
  status.build_elapsed = std::chrono::microseconds(2'500);
  return status;
}

// A server with one live and one broken function, in the state that a test gives it.
class AdminTest : public ::testing::Test {
 protected:
  AdminTest() {
    auto catalog = registry::Catalog::build({revision_of("api/users")});
    EXPECT_TRUE(catalog);
    catalog_ = *catalog;
    registry::FunctionStatus broken;
    broken.name = "broken";
    broken.state = FunctionState::failed;
    broken.error = "broken.wasm: unexpected end of file";
    broken.failed_at = std::chrono::system_clock::time_point(std::chrono::seconds(1));
    status_.functions = {live_status("api/users"), broken};
    status_.problems = {{.path = "Bad Name\xff.wasm", .message = "bad name"}};
    status_.source = "functions";
    status_.is_first_scan_done = true;
  }

  http::Response ask(std::string_view path, std::string_view method = "GET") {
    AdminContext context{.facts = {.version = "1.2.3",
                                   .listen_url = "http://127.0.0.1:8000",
                                   .admin_url = "http://127.0.0.1:8001",
                                   .config_file = "",
                                   .workers = 2,
                                   .instances_max = 1000,
                                   .engine_fingerprint = "f00d",
                                   .started_at = std::chrono::system_clock::now()},
                         .status = [this] { return status_; },
                         .catalog = [this] { return catalog_; },
                         .stats = [this] { return stats_; },
                         .is_draining = is_draining_};
    http::RequestHead head;
    head.method = method;
    head.path = path;
    return Admin(std::move(context)).answer(head);
  }

  Json ask_json(std::string_view path) { return Json::parse(ask(path).body); }

  registry::Status status_;
  std::shared_ptr<const registry::Catalog> catalog_;
  ServerStats stats_;
  std::atomic<bool> is_draining_{false};
};

// Why `value` does not fit `schema`, in as much of JSON Schema as the document uses; else empty.
class SchemaCheck {
 public:
  explicit SchemaCheck(const Json& document) : document_(document) {}

  std::string check(const Json& value, const Json& schema, const std::string& at) const {
    if (schema.contains("$ref")) {
      const auto pointer = schema.at("$ref").get<std::string>().substr(1);
      return check(value, document_.at(Json::json_pointer(pointer)), at);
    }
    if (schema.contains("oneOf")) {
      for (const auto& each : schema.at("oneOf")) {
        if (check(value, each, at).empty()) return {};
      }
      return at + " fits none of oneOf";
    }
    if (!is_of(value, schema.at("type"))) return at + " is " + value.type_name();
    if (schema.contains("enum") && !holds(schema.at("enum"), value)) {
      return at + " is none of the enum: " + value.dump();
    }
    if (value.is_object()) return check_object(value, schema, at);
    if (!value.is_array()) return {};
    for (const auto& each : value) {
      if (auto error = check(each, schema.at("items"), at + "[]"); !error.empty()) return error;
    }
    return {};
  }

 private:
  static bool holds(const Json& array, const Json& value) {
    return std::any_of(array.begin(), array.end(),
                       [&value](const Json& each) { return each == value; });
  }
  static bool is_of(const Json& value, const Json& types) {
    if (types.is_string()) return is_of(value, Json::array({types}));
    return holds(types, value.type_name()) ||
           (value.is_number_integer() && holds(types, "integer"));
  }

  std::string check_object(const Json& value, const Json& schema, const std::string& at) const {
    for (const auto& name : schema.value("required", Json::array())) {
      if (!value.contains(name)) return at + " lacks " + name.get<std::string>();
    }
    const auto properties = schema.value("properties", Json::object());
    const auto others = schema.value("additionalProperties", Json(true));
    for (const auto& [name, member] : value.items()) {
      const auto& known = properties.contains(name) ? properties.at(name) : others;
      if (known == false) return at + " has the unknown " + name;
      if (known == true) continue;
      if (auto error = check(member, known, at + "." + name); !error.empty()) return error;
    }
    return {};
  }

  const Json& document_;
};

TEST_F(AdminTest, ReadyOnceTheFirstScanIsDoneAndUntilTheDrain) {
  EXPECT_EQ(ask("/readyz").status, 200);
  is_draining_ = true;
  EXPECT_EQ(ask("/readyz").status, 503);
  EXPECT_THAT(ask("/readyz").body, HasSubstr("draining"));
  is_draining_ = false;
  status_.is_first_scan_done = false;
  EXPECT_EQ(ask("/readyz").status, 503);
  EXPECT_THAT(ask("/readyz").body, HasSubstr("starting"));
  EXPECT_EQ(ask("/healthz").status, 200);
}

TEST_F(AdminTest, FunctionsShowWhatIsLiveAndWhyNot) {
  const auto json = ask_json("/v1/functions");
  const auto& live = json.at("functions").at(0);
  EXPECT_EQ(live.at("name"), "api/users");
  EXPECT_EQ(live.at("url"), "http://127.0.0.1:8000/api/users");
  EXPECT_EQ(live.at("published_at"), "2026-01-02T03:04:05Z");
  EXPECT_EQ(live.at("build_ms"), 2.5);
  EXPECT_EQ(live.at("schema_digests"), (Json{{"user.json", std::string(64, 'b')}}));
  EXPECT_EQ(live.at("limits").at("timeout_ms"), 10'000);
  EXPECT_TRUE(live.at("error").is_null());
  const auto& broken = json.at("functions").at(1);
  EXPECT_EQ(broken.at("state"), "failed");
  EXPECT_EQ(broken.at("failed_at"), "1970-01-01T00:00:01Z");
  EXPECT_TRUE(broken.at("published_at").is_null());
  EXPECT_EQ(json.at("problems").at(0).at("path"), "Bad Name\xEF\xBF\xBD.wasm");
}

TEST_F(AdminTest, ACanaryIsAnEntryOfItsOwn) {
  auto canary = std::make_shared<registry::Revision>(*revision_of("api/users"));
  canary->function = std::make_shared<registry::Function>("api/users", 1, 2);
  canary->manifest.canary = {.weight = 250, .sticky = {}};
  catalog_ = *registry::Catalog::build({revision_of("api/users")}, false, {canary});
  auto status = live_status("api/users@2");
  status_.functions.push_back(status);
  const Json json = ask_json("/v1/functions/api/users@2");
  EXPECT_EQ(json.at("canary"),
            Json({{"of", "api/users"}, {"number", 2}, {"weight", "2.5%"}, {"sticky", "none"}}));
  EXPECT_EQ(json.at("invocations").at("count"), 0) << "its own";
  EXPECT_TRUE(ask_json("/v1/functions/api/users").at("canary").is_null());
  EXPECT_THAT(ask("/metrics").body,
              HasSubstr("funcd_canary_weight{function=\"api/users\"} 0.025\n"));
}

TEST_F(AdminTest, OneFunctionByItsNameSlashesAndAll) {
  EXPECT_EQ(ask("/v1/functions/api/users").status, 200);
  EXPECT_EQ(ask("/v1/functions/api%2Fusers").status, 200);
  EXPECT_EQ(ask("/v1/functions/broken").status, 200);
  for (const auto* path : {"/v1/functions/", "/v1/functions/api", "/v1/functions/%", "/v1"}) {
    EXPECT_EQ(ask(path).status, 404) << path;
  }
  const auto json = ask_json("/v1/functions/api/users");
  EXPECT_EQ(json.at("invocations").at("count"), 1);
  EXPECT_EQ(json.at("invocations").at("by_reason").at("trap"), 1);
  EXPECT_EQ(json.at("invocations").at("by_status").at("5xx"), 1);
}

TEST_F(AdminTest, AFunctionsHostIsTold) {
  EXPECT_TRUE(ask_json("/v1/functions/api/users").at("host").is_null());
  auto revision = std::make_shared<registry::Revision>(*catalog_->revisions().front());
  revision->manifest.host = "*.example.com";
  catalog_ = *registry::Catalog::build({revision});
  EXPECT_EQ(ask_json("/v1/functions/api/users").at("host"), "*.example.com");
  EXPECT_TRUE(ask_json("/v1/functions/broken").at("host").is_null());
}

TEST_F(AdminTest, ValuesOfTheEnvironmentStaySecret) {
  EXPECT_THAT(ask("/v1/functions/api/users").body, HasSubstr("TOKEN"));
  for (const auto* path : {"/v1/functions/api/users", "/v1/functions", "/v1/status", "/metrics"}) {
    EXPECT_THAT(ask(path).body, Not(HasSubstr("hush"))) << path;
  }
}

TEST_F(AdminTest, StatusCountsByState) {
  stats_.requests_in_flight = 3;
  const auto json = ask_json("/v1/status");
  EXPECT_EQ(json.at("functions").at("live"), 1);
  EXPECT_EQ(json.at("functions").at("failed"), 1);
  EXPECT_EQ(json.at("requests_in_flight"), 3);
  EXPECT_GT(json.at("rss_bytes"), 1 << 20);
  EXPECT_TRUE(json.at("source_error").is_null());
}

TEST_F(AdminTest, MetricsCoverFunctionsServerAndProcess) {
  stats_.connections_open = 4;
  stats_.refused = {{400, 2}, {431, 1}};
  stats_.unmatched = {{"not-found", 5}};
  const auto response = ask("/metrics");
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  for (const auto* line :
       {"funcd_build_info{version=\"1.2.3\"} 1\n", "funcd_functions{state=\"live\"} 1\n",
        "funcd_functions{state=\"failed\"} 1\n", "funcd_connections 4\n",
        "funcd_http_refused_total{status=\"431\"} 1\n",
        "funcd_requests_unmatched_total{reason=\"not-found\"} 5\n",
        "funcd_errors_total{function=\"api/users\",reason=\"trap\"} 1\n",
        "funcd_function_in_flight{function=\"api/users\"} 0\n", "process_resident_memory_bytes "}) {
    EXPECT_THAT(response.body, HasSubstr(line));
  }
}

TEST_F(AdminTest, OnlyReadingIsAllowed) {
  EXPECT_EQ(ask("/v1/functions", "HEAD").status, 200);
  for (const auto* path : {"/v1/functions", "/v1/functions/broken", "/metrics", "/"}) {
    const auto response = ask(path, "POST");
    EXPECT_EQ(response.status, 405) << path;
    EXPECT_EQ(response.fields.bytes(), "allow: GET, HEAD\r\n");
    EXPECT_EQ(Json::parse(response.body).at("reason"), "method-not-allowed");
  }
}

TEST_F(AdminTest, UnknownPathsAreJsonErrors) {
  const auto response = ask("/nothing\x01");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(Json::parse(response.body).at("reason"), "not-found");
}

TEST_F(AdminTest, EveryAnswerIsAsTheApiDescribesIt) {
  const auto document = Json::parse(openapi_json());
  for (const auto& [template_path, item] : document.at("paths").items()) {
    auto path = template_path;
    if (const auto at = path.find("{name}"); at != std::string::npos) {
      path.replace(at, 6, "api/users");
    }
    const bool is_read = item.contains("get");
    const auto response = ask(path, is_read ? "GET" : "POST");
    ASSERT_EQ(response.status, 200) << path;
    auto described = item.at(is_read ? "get" : "post").at("responses").at("200");
    if (described.contains("$ref")) {
      described =
          document.at(Json::json_pointer(described.at("$ref").get<std::string>().substr(1)));
    }
    const auto& content = described.at("content");
    if (!content.contains("application/json")) continue;
    EXPECT_EQ(response.content_type, "application/json") << path;
    const auto& schema = content.at("application/json").at("schema");
    EXPECT_EQ(SchemaCheck(document).check(Json::parse(response.body), schema, path), "");
  }
}

TEST_F(AdminTest, EveryEndpointIsDescribed) {
  const auto document = Json::parse(openapi_json());
  const auto answer = ask_json("/");
  for (const auto& endpoint : answer.at("endpoints")) {
    EXPECT_TRUE(document.at("paths").contains(endpoint)) << endpoint;
  }
}

}  // namespace
}  // namespace funcd::server
