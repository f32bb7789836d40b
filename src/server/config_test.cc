#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "server/config_option.h"
#include "testing/temp_folder.h"

namespace funcd::server {
namespace {

using ::testing::HasSubstr;

using Environment = std::map<std::string, std::string>;
using Flags = std::vector<std::pair<std::string, std::string>>;

// Nothing of the process's own environment is seen.
ConfigSources sources_of(Environment environment, Flags flags = {}) {
  ConfigSources sources;
  sources.flags = std::move(flags);
  sources.environment = [environment](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    if (found == environment.end()) return std::nullopt;
    return found->second;
  };
  return sources;
}

std::string file_error(std::string_view toml) {
  Config config;
  const auto applied = apply_config_file(config, toml, "funcd.toml");
  return applied ? std::string("no error") : applied.error().message;
}

std::string flag_error(const std::string& key, const std::string& text) {
  const auto config = load_config(sources_of({}, {{key, text}}));
  return config ? std::string("no error") : config.error().message;
}

class ConfigFile : public ::testing::Test {
 protected:
  std::string write(const std::string& name, std::string_view text) const {
    folder_.write(name, text);
    return folder_ / name;
  }

  TempFolder folder_;
};

TEST(Config, DefaultsAreThePromisedOnes) {
  const auto config = load_config(sources_of({{"HOME", "/home/ada"}}));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->source, "functions");
  EXPECT_EQ(config->listen.host, "127.0.0.1");
  EXPECT_EQ(config->listen.port, 8000);
  ASSERT_TRUE(config->admin);
  EXPECT_EQ(config->admin->port, 8001);
  EXPECT_GE(config->workers, 1U);
  EXPECT_EQ(config->cache_dir, "/home/ada/.cache/funcd/code");
  EXPECT_EQ(config->errors, contract::ErrorStyle::precise);
  EXPECT_EQ(config->limits.timeout, std::chrono::seconds(10));
  EXPECT_EQ(config->limits.memory_bytes, 128ULL << 20);
  EXPECT_FALSE(config->has_access_log);
}

TEST(Config, CacheFollowsXdg) {
  const auto config =
      load_config(sources_of({{"HOME", "/home/ada"}, {"XDG_CACHE_HOME", "/var/cache/ada"}}));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->cache_dir, "/var/cache/ada/funcd/code");
  const auto relative = load_config(sources_of({{"HOME", "/home/ada"}, {"XDG_CACHE_HOME", "x"}}));
  ASSERT_TRUE(relative);
  EXPECT_EQ(relative->cache_dir, "/home/ada/.cache/funcd/code");
}

TEST_F(ConfigFile, FlagGoesBeforeEnvironmentBeforeFileBeforeDefault) {
  auto sources =
      sources_of({{"FUNCD_WORKERS", "3"}, {"FUNCD_LIMITS_TIMEOUT", "3s"}}, {{"workers", "4"}});
  sources.config_file = write("funcd.toml",
                              "workers = 2\n"
                              "queue = 2\n"
                              "[limits]\n"
                              "timeout = \"2s\"\n");
  const auto config = load_config(sources);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->workers, 4U);
  EXPECT_EQ(config->limits.timeout, std::chrono::seconds(3));
  EXPECT_EQ(config->queue_max, 2U);
  EXPECT_EQ(config->limits.concurrency, 64U);
  EXPECT_EQ(config->config_file, *sources.config_file);
}

TEST_F(ConfigFile, EnvironmentNamesTheFile) {
  const auto file = write("other.toml", "queue = 7\n");
  const auto config = load_config(sources_of({{"FUNCD_CONFIG", file}}));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->queue_max, 7U);
}

TEST_F(ConfigFile, MissingFileIsNamed) {
  auto sources = sources_of({});
  sources.config_file = folder_ / "none.toml";
  const auto config = load_config(sources);
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("none.toml"));
}

TEST_F(ConfigFile, AnAutomaticPathIsNone) {
  auto sources = sources_of({});
  sources.config_file = write("funcd.toml", "kv_file = \"auto\"\n");
  const auto config = load_config(sources);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->kv_file, "");
}

TEST_F(ConfigFile, OfItselfItKnowsNothingOfTheEnvironment) {
  auto sources = sources_of({{"FUNCD_ADMIN", "127.0.0.1:1"}, {"FUNCD_WORKERS", "none"}});
  sources.config_file = write("funcd.toml", "admin = \"127.0.0.1:2\"\n");
  const auto config = load_config_file(sources);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->admin->port, 2);
}

TEST_F(ConfigFile, PathsAreRelativeToTheFile) {
  auto sources = sources_of({});
  sources.config_file = write(
      "funcd.toml", "source = \"functions\"\ncache_dir = \"/cache\"\nkv_file = \"kv/kv.sqlite\"\n");
  const auto config = load_config(sources);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->source, folder_ / "functions");
  EXPECT_EQ(config->cache_dir, "/cache");
  EXPECT_EQ(config->kv_file, folder_ / "kv/kv.sqlite");
  sources.flags = {{"source", "functions"}};
  const auto flagged = load_config(sources);
  ASSERT_TRUE(flagged);
  EXPECT_EQ(flagged->source, "functions");
}

TEST(ConfigErrors, UnknownKeysNameFileLineAndWhatIsKnown) {
  const auto top = file_error("workers = 2\nworker = 3\n");
  EXPECT_THAT(top, HasSubstr("funcd.toml:2: unknown key 'worker', did you mean 'workers'?"));
  EXPECT_THAT(top, HasSubstr("known are access_log, admin, build_timeout, cache_dir"));
  EXPECT_THAT(top, HasSubstr("limits"));
  const auto nested = file_error("[limits]\n\nmemry = \"1MiB\"\n");
  EXPECT_THAT(nested, HasSubstr("funcd.toml:3: unknown key 'memry' in [limits]"));
  EXPECT_THAT(nested,
              HasSubstr("concurrency, memory, request_body, response_body, stderr, timeout"));
  EXPECT_THAT(file_error("[limit]\ntimeout = \"1s\"\n"),
              HasSubstr("funcd.toml:1: unknown key 'limit', did you mean 'limits'?"));
}

TEST(ConfigErrors, WrongTypesAndValuesNameTheKey) {
  EXPECT_EQ(file_error("\nworkers = \"4\"\n"), "funcd.toml:2: workers: expected a whole number");
  EXPECT_EQ(file_error("access_log = 1\n"), "funcd.toml:1: access_log: expected true or false");
  EXPECT_EQ(file_error("workers = 0\n"),
            "funcd.toml:1: workers: expected a number from 1 to 1024, got 0");
  EXPECT_EQ(file_error("[limits]\ntimeout = 10\n"),
            "funcd.toml:2: limits.timeout: expected a duration such as \"10s\"");
  EXPECT_THAT(file_error("errors = \"fuzzy\"\n"),
              HasSubstr("errors: expected one of precise, bad-request, got 'fuzzy'"));
  EXPECT_THAT(file_error("limits = 3\n"), HasSubstr("'limits' is a section: write [limits]"));
  EXPECT_THAT(file_error("source = \"s3://B/x\"\n"), HasSubstr("no bucket's name"));
  EXPECT_THAT(file_error("source = \"oci://host/x\"\n"),
              HasSubstr("expected a folder or s3://BUCKET/PREFIX, got 'oci://host/x'"));
  EXPECT_THAT(file_error("cache_dir = \"s3://bucket/x\"\n"), HasSubstr("expected a folder"));
  EXPECT_THAT(file_error("[s3]\nendpoint = \"localhost:9000\"\n"), HasSubstr("expected a URL"));
}

TEST(ConfigErrors, BrokenTomlNamesTheLine) {
  EXPECT_THAT(file_error("workers = 1\nlisten = \n"), HasSubstr("funcd.toml:2: "));
}

TEST(ConfigErrors, FlagsAndVariablesAreNamed) {
  EXPECT_EQ(flag_error("queue", "many"), "--queue: expected a whole number, got 'many'");
  EXPECT_THAT(flag_error("limits.memory", "1KiB"),
              HasSubstr("--limits-memory: expected a size from 64KiB to 4GiB, got 1KiB"));
  EXPECT_THAT(flag_error("http.idle_timeout", "0s"), HasSubstr("--http-idle-timeout: "));
  const auto config = load_config(sources_of({{"FUNCD_LOG_LEVEL", "loud"}}));
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("environment variable FUNCD_LOG_LEVEL: expected "
                                                "one of debug, info, warn, error"));
}

TEST(ConfigErrors, LimitAboveItsCeilingNamesBoth) {
  EXPECT_EQ(flag_error("limits.timeout", "10m"),
            "limits.timeout is 10m, above ceilings.timeout, which is 5m; lower limits.timeout or "
            "raise ceilings.timeout");
  EXPECT_EQ(flag_error("ceilings.memory", "64MiB"),
            "limits.memory is 128MiB, above ceilings.memory, which is 64MiB; lower limits.memory "
            "or raise ceilings.memory");
}

TEST(ConfigErrors, OnePortForBothAddresses) {
  EXPECT_THAT(flag_error("listen", "127.0.0.1:8001"), HasSubstr("listen and admin are both"));
  EXPECT_EQ(flag_error("listen", "127.0.0.1:0"), "no error");
}

TEST(ConfigOption, AdminCanBeOff) {
  const auto config = load_config(sources_of({}, {{"admin", "off"}}));
  ASSERT_TRUE(config);
  EXPECT_FALSE(config->admin);
}

TEST(ConfigOption, UnloadingCanBeOff) {
  EXPECT_EQ(load_config(sources_of({}, {{"unload_after", "off"}}))->unload_after.count(), 0);
  EXPECT_EQ(load_config(sources_of({}, {{"unload_after", "3s"}}))->unload_after.count(), 3000);
  EXPECT_THAT(flag_error("unload_after", "soon"), HasSubstr("soon"));
  EXPECT_NE(flag_error("unload_after", "0s"), "no error");
}

TEST(ConfigOption, NamesFollowFromTheKey) {
  const auto* option = find_option("limits.request_body");
  ASSERT_NE(option, nullptr);
  EXPECT_EQ(flag_of(*option), "--limits-request-body");
  EXPECT_EQ(variable_of(*option), "FUNCD_LIMITS_REQUEST_BODY");
  EXPECT_EQ(value_name_of(*option), "SIZE");
}

TEST(ConfigOption, NamesDiffer) {
  std::set<std::string> names;
  for (const auto& option : options()) {
    EXPECT_TRUE(names.insert(flag_of(option)).second) << option.key;
    EXPECT_TRUE(names.insert(variable_of(option)).second) << option.key;
  }
}

TEST(ConfigOption, EveryOptionReadsWhatItShows) {
  for (const auto& option : options()) {
    Config config;
    config.cache_dir = "/cache";
    const auto shown = get_option(config, option);
    EXPECT_FALSE(shown.empty()) << option.key;
    const auto set = set_option(config, option, shown);
    EXPECT_TRUE(set) << option.key << ": " << set.error().message;
    EXPECT_EQ(get_option(config, option), shown) << option.key;
  }
}

// Catches an option that is bound to another one's member.
TEST(ConfigOption, EveryOptionSetsItsOwnMember) {
  const std::map<std::string_view, std::string> others = {{"source", "elsewhere"},
                                                          {"listen", "[::1]:80"},
                                                          {"admin", "off"},
                                                          {"cache_dir", "/elsewhere"},
                                                          {"cache_size", "777MiB"},
                                                          {"access_log", "true"},
                                                          {"errors", "bad-request"},
                                                          {"log.level", "debug"},
                                                          {"log.format", "json"},
                                                          {"epochs", "false"},
                                                          {"compile.memory", "777MiB"},
                                                          {"compile.baseline", "false"},
                                                          {"http.body_memory", "777MiB"},
                                                          {"s3.endpoint", "http://s3:1"},
                                                          {"s3.addressing", "path"},
                                                          {"s3.size", "777MiB"}};
  for (const auto& option : options()) {
    Config config;
    std::map<std::string_view, std::string> before;
    for (const auto& each : options()) before[each.key] = get_option(config, each);
    const auto found = others.find(option.key);
    const auto name = value_name_of(option);
    const auto text = found != others.end() ? found->second
                      : name == "SIZE"      ? std::string("777KiB")
                      : name == "DURATION"  ? std::string("777ms")
                                            : std::string("777");
    const auto set = set_option(config, option, text);
    ASSERT_TRUE(set) << option.key << ": " << set.error().message;
    for (const auto& each : options()) {
      const auto now = get_option(config, each);
      const bool is_same_option = each.key == option.key;
      EXPECT_EQ(now, is_same_option ? text : before[each.key]) << option.key << ", " << each.key;
    }
  }
}

}  // namespace
}  // namespace funcd::server
