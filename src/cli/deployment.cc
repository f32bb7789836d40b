#include "cli/deployment.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <thread>

#include "cli/admin_client.h"
#include "server/admin_json.h"

namespace funcd::cli {
namespace {

using Json = nlohmann::ordered_json;

// Between two questions, and between two looks that the server is asked for.
constexpr std::chrono::milliseconds kAskEvery{50};
constexpr std::chrono::milliseconds kRefreshEvery{1'000};

std::string text_of(const Json& json, const char* key) {
  if (!json.is_object()) return "";
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string failure_of(const Json& function) {
  const std::string state = text_of(function, "state");
  if (state != "stale" && state != "failed") return "";
  return text_of(function, "failed_at") + " " + text_of(function, "error");
}

// Whether a function that is live has the schemas of the revision, each where that has it.
bool has_schemas(const Json& function, const std::string& name,
                 const source::DeployedRevision& revision) {
  const auto found = function.find("schema_digests");
  std::map<std::string, std::string> digests;
  if (found != function.end() && found->is_object()) {
    for (const auto& [path, digest] : found->items()) {
      if (digest.is_string()) digests[schema_path(name, path)] = digest;
    }
  }
  return std::ranges::all_of(revision.files, [&](const source::DeployedFile& file) {
    const bool is_schema = &file != &revision.module() && &file != revision.sidecar();
    return !is_schema || digests[file.path] == file.sha256;
  });
}

// Whether what answers is the revision, to the last of its files.
bool is_live(const Json& function, const std::string& name,
             const source::Deployments::Change& change) {
  return text_of(function, "state") == "live" &&
         text_of(function, "digest") == change.revision.module().sha256 &&
         text_of(function, "sidecar_digest") == change.sidecar_digest &&
         has_schemas(function, name, change.revision);
}

// The source that the settings name, else that of the server at the admin address.
Result<std::string> find_source(const server::Config& config) {
  const bool is_named = config.source != server::Config().source;
  if (is_named || !config.admin) return config.source;
  const auto status = get_json(*config.admin, "/v1/status");
  if (!status) return fail("{}; or name the source with --to", status.error().message);
  const std::string folder = text_of(*status, "source_path");
  return folder.empty() ? text_of(*status, "source") : folder;
}

// In words.
std::string told(const std::string& name, const source::Deployments::Change& change,
                 const std::string& source, bool is_live) {
  const std::uint64_t number = change.revision.number;
  if (change.canary && change.canary->number == number) {
    return fmt::format("{}: revision {} is a canary {} {}, for {} of the requests\n", name, number,
                       is_live ? "on" : "in", source, change.canary->share.weight);
  }
  std::string text =
      fmt::format("{}: revision {} {} {}", name, number, is_live ? "is live on" : "is in", source);
  if (change.dropped) text += fmt::format("; its canary, revision {}, is dropped", *change.dropped);
  return text + "\n";
}

Json json_of(const std::string& name, const source::Deployments::Change& change,
             const std::string& source, bool is_live) {
  const bool is_canary = change.canary && change.canary->number == change.revision.number;
  return {{"function", name},
          {"revision", change.revision.number},
          {"digest", change.revision.module().sha256},
          {"canary", is_canary ? Json(change.canary->share.weight) : Json()},
          {"dropped_canary", change.dropped ? Json(*change.dropped) : Json()},
          {"source", source},
          {"is_live", is_live}};
}

}  // namespace

std::string schema_path(const std::string& function, const std::string& schema) {
  return (std::filesystem::path(function).parent_path() / schema).lexically_normal();
}

std::vector<NamedSchema> schemas_of(const std::string& function,
                                    const registry::Manifest& manifest) {
  std::vector<NamedSchema> schemas;
  for (const auto& name : {manifest.request_schema, manifest.response_schema}) {
    if (!name) continue;
    NamedSchema schema{.name = *name, .path = schema_path(function, *name)};
    const bool is_new =
        std::ranges::find(schemas, schema.path, &NamedSchema::path) == schemas.end();
    if (is_new) schemas.push_back(std::move(schema));
  }
  return schemas;
}

source::Deployments SourceFlags::Opened::deployments() const {
  const auto paths_of = [limits = config.limits, ceilings = config.ceilings](
                            const std::string& name, const source::ObjectStore::Bytes& sidecar) {
    std::vector<std::string> paths;
    const auto manifest = registry::parse_manifest(
        {reinterpret_cast<const char*>(sidecar.data()), sidecar.size()}, name, limits, ceilings);
    if (!manifest) return paths;
    for (NamedSchema& schema : schemas_of(name, *manifest)) {
      if (!schema.path.starts_with("..")) paths.push_back(std::move(schema.path));
    }
    return paths;
  };
  return {*store, paths_of};
}

SourceFlags::SourceFlags(CLI::App& verb, Waiting waiting)
    : flags_(
          verb,
          [](std::string_view key) {
            return key == "admin" || (key.starts_with("s3.") && key != "s3.poll" &&
                                      key != "s3.wait" && key != "s3.size");
          },
          ConfigFlags::Source::flag) {
  verb.add_option(
          "--to", to_,
          "the source: a folder or s3://BUCKET/PREFIX (default: the configured one, else what "
          "the server at --admin serves)")
      ->type_name("SOURCE");
  verb.add_flag("--json", is_json_, "print JSON");
  if (waiting == Waiting::none) return;
  verb.add_flag("--wait", is_waiting_, "wait until the server at --admin has it live");
  verb.add_option("--timeout", timeout_, "how long to wait (default: 60s)")
      ->type_name("DURATION")
      ->check([](const std::string& text) {
        const auto duration = registry::parse_duration(text);
        return duration ? "" : duration.error().message;
      });
}

Result<SourceFlags::Opened> SourceFlags::open(server::Config config) const {
  Opened opened{.config = std::move(config), .store = nullptr, .source = {}};
  opened.source = to_.empty() ? TRY(find_source(opened.config)) : to_;
  if (source::is_s3_url(opened.source)) {
    const auto location = TRY(source::parse_s3_url(opened.source));
    opened.store =
        TRY(source::open_bucket_store(location, opened.config.s3, server::process_environment));
  } else {
    opened.store = TRY(source::open_folder_store(opened.source));
  }
  return opened;
}

Result<std::string> SourceFlags::failure_before(const server::Config& config,
                                                const std::string& name) const {
  if (!is_waiting_) return "";
  if (!config.admin) return fail("--wait asks the admin address, and admin is off");
  return failure_of(TRY(get_json(*config.admin, function_path(name), Missing::null)));
}

void SourceFlags::tell(const std::string& name, const source::Deployments::Change& change,
                       const std::string& source, const std::string& kept_sidecar) const {
  // What has been waited for is live.
  if (is_json_) {
    Json json = json_of(name, change, source, is_waiting_);
    if (!kept_sidecar.empty()) json["kept_sidecar"] = kept_sidecar;
    return print(server::json_text(json));
  }
  print(told(name, change, source, is_waiting_));
  if (!kept_sidecar.empty()) print(fmt::format("{}: keeps {}\n", name, kept_sidecar));
}

Result<> SourceFlags::wait(const server::Config& config, const std::string& name,
                           const source::Deployments::Change& change,
                           const std::string& failure_before) const {
  if (!is_waiting_) return {};
  const TimePoint deadline = Clock::now() + TRY(registry::parse_duration(timeout_));
  TimePoint refresh_at = Clock::now();
  const source::DeployedRevision& revision = change.revision;
  const auto name_of_canary = [&name](std::uint64_t number) {
    return fmt::format("{}@{}", name, number);
  };
  const bool is_canary = change.canary && change.canary->number == revision.number;
  const std::string title = is_canary ? name_of_canary(revision.number) : name;
  std::string error;
  for (;;) {
    if (Clock::now() >= refresh_at) {
      ClientRequest refresh;
      refresh.method = "POST";
      refresh.target = "/v1/source/refresh";
      TRY(request(*config.admin, refresh));
      refresh_at = Clock::now() + kRefreshEvery;
    }
    const Json function = TRY(get_json(*config.admin, function_path(title), Missing::null));
    const bool is_dropped =
        !change.dropped ||
        TRY(get_json(*config.admin, function_path(name_of_canary(*change.dropped)), Missing::null))
            .is_null();
    if (is_live(function, name, change) && is_dropped) return {};
    const std::string failure = failure_of(function);
    error = text_of(function, "error");
    if (!failure.empty() && failure != failure_before) return fail("{}", error);
    if (Clock::now() >= deadline) {
      return fail("{}: revision {} is not live after {}{}{}", name, revision.number, timeout_,
                  error.empty() ? "; does the server at --admin serve this source?" : ": ", error);
    }
    std::this_thread::sleep_for(kAskEvery);
  }
}

}  // namespace funcd::cli
