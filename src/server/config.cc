#include "server/config.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/check.h"
#include "base/file.h"
#include "server/config_option.h"
#include "server/units.h"

namespace funcd::server {
namespace {

constexpr std::uint64_t kConfigBytesMax = 1ULL << 20;
constexpr std::string_view kDefaultFile = "funcd.toml";

// ${XDG_CACHE_HOME:-~/.cache}/funcd/code (XDG Base Directory Specification). Without a home there
// is a folder of the user's own in the temporary one.
std::string default_cache_dir(const ConfigSources& sources) {
  // The specification has relative values ignored.
  if (const auto cache = sources.environment("XDG_CACHE_HOME"); cache && cache->starts_with('/')) {
    return *cache + "/funcd/code";
  }
  if (const auto home = sources.environment("HOME"); home && home->starts_with('/')) {
    return *home + "/.cache/funcd/code";
  }
  return fmt::format("/tmp/funcd-{}/code", ::getuid());
}

// The file to read; nothing when there is none to be read.
std::optional<std::string> config_file_of(const ConfigSources& sources) {
  if (sources.config_file) return sources.config_file;
  if (const auto named = sources.environment("FUNCD_CONFIG"); named && !named->empty())
    return named;
  std::error_code ignored;
  if (std::filesystem::exists(kDefaultFile, ignored)) return std::string(kDefaultFile);
  return std::nullopt;
}

Result<> apply_environment(Config& config, const ConfigSources& sources) {
  for (const auto& option : options()) {
    const auto name = variable_of(option);
    const auto text = sources.environment(name);
    if (!text) continue;
    if (auto set = set_option(config, option, *text); !set) {
      return fail("environment variable {}: {}", name, set.error().message);
    }
  }
  return {};
}

Result<> apply_flags(Config& config, const ConfigSources& sources) {
  for (const auto& [key, text] : sources.flags) {
    const auto* option = find_option(key);
    CHECK(option != nullptr, "no option has the key {}", key);
    if (auto set = set_option(config, *option, text); !set) {
      return fail("{}: {}", flag_of(*option), set.error().message);
    }
  }
  return {};
}

// Defaults of functions lie below what a sidecar may ask for.
Result<> check_ceilings(const Config& config) {
  const auto check = [&config](std::string_view name, auto limit, auto ceiling) -> Result<> {
    if (limit <= ceiling) return {};
    const auto text = [&](std::string_view section) {
      return get_option(config, *find_option(fmt::format("{}.{}", section, name)));
    };
    return fail(
        "limits.{0} is {1}, above ceilings.{0}, which is {2}; lower limits.{0} or raise "
        "ceilings.{0}",
        name, text("limits"), text("ceilings"));
  };
  const auto& limits = config.limits;
  const auto& ceilings = config.ceilings;
  TRY(check("timeout", limits.timeout, ceilings.timeout));
  TRY(check("memory", limits.memory_bytes, ceilings.memory_bytes));
  TRY(check("request_body", limits.request_body_bytes, ceilings.request_body_bytes));
  TRY(check("response_body", limits.response_body_bytes, ceilings.response_body_bytes));
  TRY(check("stderr", limits.stderr_bytes, ceilings.stderr_bytes));
  return check("concurrency", limits.concurrency, ceilings.concurrency);
}

}  // namespace

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

std::string kv_file_of(
    const Config& config,
    const std::function<std::optional<std::string>(const std::string&)>& environment) {
  constexpr std::size_t kDigits = 16;
  if (!config.kv_file.empty()) return config.kv_file;
  std::string state = fmt::format("/tmp/funcd-{}/state", ::getuid());
  if (const auto home = environment("HOME"); home && home->starts_with('/')) {
    state = *home + "/.local/state/funcd";
  }
  if (const auto named = environment("XDG_STATE_HOME"); named && named->starts_with('/')) {
    state = *named + "/funcd";
  }
  std::error_code ignored;
  const auto real = std::filesystem::canonical(config.source, ignored).string();
  const std::string& source = real.empty() ? config.source : real;
  return fmt::format("{}/{}/kv.sqlite", state, sha256_hex(source).substr(0, kDigits));
}

Result<Config> load_config_file(const ConfigSources& sources) {
  Config config;
  config.workers = std::max(1U, std::thread::hardware_concurrency());
  config.cache_dir = default_cache_dir(sources);
  if (const auto file = config_file_of(sources)) {
    const auto toml = TRY(read_text_file(*file, kConfigBytesMax));
    TRY(apply_config_file(config, toml, *file));
    config.config_file = *file;
  }
  return config;
}

Result<Config> load_config(const ConfigSources& sources) {
  Config config = TRY(load_config_file(sources));
  TRY(apply_environment(config, sources));
  TRY(apply_flags(config, sources));
  TRY(check_ceilings(config));
  const bool is_same_port = config.admin && config.admin->port != 0 &&
                            config.admin->port == config.listen.port &&
                            config.admin->host == config.listen.host;
  if (is_same_port) {
    return fail("listen and admin are both {}:{}; give one of them another port",
                config.listen.host, config.listen.port);
  }
  return config;
}

}  // namespace funcd::server
