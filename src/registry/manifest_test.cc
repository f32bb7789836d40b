#include "registry/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace funcd::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr Limits kCeilings{.timeout = std::chrono::minutes(5),
                           .memory_bytes = 1ULL << 30,
                           .request_body_bytes = 64ULL << 20,
                           .response_body_bytes = 64ULL << 20,
                           .stderr_bytes = 1ULL << 20,
                           .concurrency = 1000};

Manifest parsed(std::string_view toml) {
  const auto manifest = parse_manifest(toml, "hello.toml", Limits{}, kCeilings);
  EXPECT_TRUE(manifest) << manifest.error().message;
  return manifest ? *manifest : Manifest{};
}

std::string error_of(std::string_view toml) {
  const auto manifest = parse_manifest(toml, "hello.toml", Limits{}, kCeilings);
  return manifest ? "no error" : manifest.error().message;
}

TEST(Manifest, ASilentSidecarHasDefaults) {
  const Manifest manifest = parsed("# nothing\n");
  EXPECT_EQ(manifest.contract, ContractKind::automatic);
  EXPECT_FALSE(manifest.route);
  EXPECT_TRUE(manifest.methods.empty());
  EXPECT_EQ(manifest.limits.timeout, std::chrono::seconds(10));
  EXPECT_EQ(manifest.limits.memory_bytes, 128ULL << 20);
  EXPECT_EQ(manifest.limits.concurrency, 64U);
  EXPECT_EQ(manifest.reuse, 1U);
}

TEST(Manifest, ReuseIsACountOfRequestsOrOff) {
  EXPECT_EQ(parsed("reuse = 100").reuse, 100U);
  EXPECT_EQ(parsed("reuse = 0").reuse, 1U);
  EXPECT_EQ(error_of("reuse = true"), "hello.toml:1: reuse: expected an integer, got a boolean");
  EXPECT_EQ(error_of("reuse = -1"), "hello.toml:1: reuse: expected 0 to 1000000, got -1");
  EXPECT_EQ(error_of("reuse = 1000001"), "hello.toml:1: reuse: expected 0 to 1000000, got 1000001");
}

TEST(Manifest, ReadsEveryKey) {
  const Manifest manifest = parsed(R"(
contract = "data"
route    = "/users/{id}"
methods  = ["GET", "POST"]
[input]
name = "zztkm"
age  = 20
[request]
schema = "in.schema.json"
[response]
schema = "item.schema.json"
[env]
GREETING = "hello"
A = ""
[limits]
timeout = "2s"
memory = "64MiB"
request_body = "0"
response_body = "1MiB"
stderr = "4KiB"
concurrency = 8
[snapshot]
start = true
warm = true
[[mounts]]
host = "data"
guest = "/data/"
[[mounts]]
host = "more"
guest = "/more"
writable = true
)");
  EXPECT_EQ(manifest.contract, ContractKind::data);
  EXPECT_EQ(manifest.route, "/users/{id}");
  EXPECT_THAT(manifest.methods, ElementsAre("GET", "POST"));
  EXPECT_THAT(manifest.input, ElementsAre(Pair("name", "\"zztkm\""), Pair("age", "20")));
  EXPECT_EQ(manifest.request_schema, "in.schema.json");
  EXPECT_EQ(manifest.response_schema, "item.schema.json");
  EXPECT_THAT(manifest.env, ElementsAre(Pair("GREETING", "hello"), Pair("A", "")));
  EXPECT_EQ(manifest.limits.timeout, std::chrono::seconds(2));
  EXPECT_EQ(manifest.limits.memory_bytes, 64ULL << 20);
  EXPECT_EQ(manifest.limits.request_body_bytes, 0U);
  EXPECT_EQ(manifest.limits.response_body_bytes, 1ULL << 20);
  EXPECT_EQ(manifest.limits.stderr_bytes, 4ULL << 10);
  EXPECT_EQ(manifest.limits.concurrency, 8U);
  EXPECT_EQ(manifest.snapshot.starts, true);
  EXPECT_TRUE(manifest.snapshot.is_warm);
  ASSERT_EQ(manifest.mounts.size(), 2U);
  EXPECT_EQ(manifest.mounts[0].host, "data");
  EXPECT_EQ(manifest.mounts[0].guest, "/data");
  EXPECT_FALSE(manifest.mounts[0].is_writable);
  EXPECT_TRUE(manifest.mounts[1].is_writable);
}

TEST(Manifest, EveryContractHasItsName) {
  for (const char* name : {"auto", "data", "cgi", "wws", "wasi-http", "reactor"}) {
    EXPECT_EQ(name_of(parsed(fmt::format("contract = \"{}\"", name)).contract), name);
  }
}

TEST(Manifest, InputIsJsonInTheOrderOfTheFile) {
  const Manifest manifest = parsed(R"(
[input]
zebra = 1
apple = [1, 2.0, "x\ny\"", { b = true, a = false }]
big = 9223372036854775807
tiny = 1e-9
hex = 0xff
day = 2026-01-02
at = 2026-01-02T03:04:05Z
control = "\u0001\\"
empty = {}
[input.nested]
z = "ü"
a = [[]]
)");
  EXPECT_THAT(
      manifest.input,
      ElementsAre(Pair("zebra", "1"), Pair("apple", R"([1,2.0,"x\ny\"",{"b":true,"a":false}])"),
                  Pair("big", "9223372036854775807"), Pair("tiny", "1e-09"), Pair("hex", "255"),
                  Pair("day", "\"2026-01-02\""), Pair("at", "\"2026-01-02T03:04:05Z\""),
                  Pair("control", R"("\u0001\\")"), Pair("empty", "{}"),
                  Pair("nested", R"({"z":"ü","a":[[]]})")));
}

TEST(Manifest, InputThatIsNoJsonIsAnError) {
  EXPECT_EQ(error_of("[input]\na = 1\nb = nan\n"),
            "hello.toml:3: input.b: JSON has no number for nan");
  EXPECT_THAT(error_of("input.x = -inf"), HasSubstr("JSON has no number for -inf"));
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  EXPECT_EQ(error_of("input.x = " + deep),
            "hello.toml:1: input.x: is nested deeper than 64 levels");
}

TEST(Manifest, UnknownKeysNameFileLineAndWhatIsKnown) {
  EXPECT_EQ(error_of("route = \"/a\"\n\ncontrakt = \"data\"\n"),
            "hello.toml:3: unknown key 'contrakt'; did you mean 'contract'? known are contract, "
            "route, host, methods, input, request, response, env, kv, limits, reuse, snapshot, "
            "outbound, smoke, canary, mounts");
  EXPECT_EQ(error_of("[limits]\nmemory = \"1MiB\"\ncpu = 1\n"),
            "hello.toml:3: unknown key 'cpu' in [limits]; known are timeout, memory, request_body, "
            "response_body, stderr, concurrency");
  EXPECT_THAT(error_of("[snapshots]\nstart = true\n"),
              HasSubstr("hello.toml:1: unknown key 'snapshots'; did you mean 'snapshot'?"));
  EXPECT_THAT(error_of("[[mounts]]\nhost = \"a\"\nguest = \"/a\"\nwriteable = true\n"),
              HasSubstr("hello.toml:4: unknown key 'writeable' in [mounts]; did you mean "
                        "'writable'? known are host, guest, writable"));
  EXPECT_THAT(
      error_of("[response]\nschemas = \"a\"\n"),
      HasSubstr("hello.toml:2: unknown key 'schemas' in [response]; did you mean 'schema'?"));
}

TEST(Manifest, TheFirstErrorOfTheFileIsTold) {
  EXPECT_THAT(error_of("zzz = 1\naaa = 2\n"), HasSubstr("hello.toml:1: unknown key 'zzz'"));
}

TEST(Manifest, TypeErrorsNameExpectedAndFound) {
  EXPECT_EQ(error_of("contract = 5"), "hello.toml:1: contract: expected a string, got an integer");
  EXPECT_EQ(error_of("methods = \"GET\""),
            "hello.toml:1: methods: expected an array, got a string");
  EXPECT_EQ(error_of("methods = [1]"), "hello.toml:1: methods: expected a string, got an integer");
  EXPECT_EQ(error_of("input = []"), "hello.toml:1: input: expected a table, got an array");
  EXPECT_EQ(error_of("[env]\nA = true"), "hello.toml:2: env.A: expected a string, got a boolean");
  EXPECT_EQ(error_of("[limits]\ntimeout = 10"),
            "hello.toml:2: limits.timeout: expected a string such as \"10s\", got an integer");
  EXPECT_EQ(error_of("[limits]\nmemory = 10"),
            "hello.toml:2: limits.memory: expected a string such as \"64MiB\", got an integer");
  EXPECT_EQ(error_of("[limits]\nconcurrency = \"8\""),
            "hello.toml:2: limits.concurrency: expected an integer, got a string");
  EXPECT_EQ(error_of("[mounts]\nhost = \"a\""),
            "hello.toml:1: mounts: expected [[mounts]], got a table");
  EXPECT_EQ(error_of("[[mounts]]\nhost = \"a\"\nguest = \"/a\"\nwritable = 1"),
            "hello.toml:4: mounts.writable: expected true or false, got an integer");
  EXPECT_EQ(error_of("response = \"x.json\""),
            "hello.toml:1: response: expected a table, got a string");
}

TEST(Manifest, TextThatIsNoTomlNamesItsLine) {
  EXPECT_THAT(error_of("a = 1\nb = \n"), HasSubstr("hello.toml:2: "));
  EXPECT_THAT(error_of("route = \"/a\"\nroute = \"/b\"\n"), HasSubstr("hello.toml:2: "));
  EXPECT_THAT(error_of("a = \"\xFF\"\n"), HasSubstr("hello.toml:1: "));
  EXPECT_THAT(error_of("\x7F"
                       "ELF"),
              HasSubstr("hello.toml:1: "));
}

TEST(Manifest, ValuesAreChecked) {
  EXPECT_THAT(error_of("contract = \"xyz\""),
              HasSubstr("no contract is named 'xyz'; there are auto, data, cgi"));
  EXPECT_EQ(error_of("route = \"/a/{id}/{id}\""),
            "hello.toml:1: route: route /a/{id}/{id}: parameter 'id' appears twice");
  EXPECT_THAT(error_of("methods = []"), HasSubstr("leave the key out to allow all"));
  EXPECT_THAT(error_of("methods = [\"get\"]"), HasSubstr("methods are upper case"));
  EXPECT_THAT(error_of("methods = [\"G T\"]"), HasSubstr("'G T' is no method"));
  EXPECT_THAT(error_of("methods = [\"GET\", \"GET\"]"), HasSubstr("'GET' appears twice"));
  EXPECT_THAT(error_of("[env]\n\"A=B\" = \"x\""), HasSubstr("has no '='"));
  EXPECT_THAT(error_of("[env]\n\"\" = \"x\""), HasSubstr("is not empty"));
  EXPECT_THAT(error_of("[env]\nA = \"x\\u0000\""), HasSubstr("has no NUL"));
  EXPECT_THAT(error_of("[response]\nschema = \"/etc/passwd\""), HasSubstr("is absolute"));
  EXPECT_THAT(error_of("[request]\nschema = \"\""), HasSubstr("is no path"));
  EXPECT_THAT(error_of("[snapshot]\nstart = false\nwarm = true"),
              HasSubstr("no snapshot that could be warmed up"));
  EXPECT_THAT(error_of("[snapshot]\nstart = 1"), HasSubstr("expected true or false"));
}

TEST(Manifest, MountsAreChecked) {
  EXPECT_EQ(error_of("\n[[mounts]]\nguest = \"/a\""), "hello.toml:2: a mount without 'host'");
  EXPECT_EQ(error_of("\n[[mounts]]\nhost = \"a\""), "hello.toml:2: a mount without 'guest'");
  EXPECT_THAT(error_of("[[mounts]]\nhost = \"/etc\"\nguest = \"/a\""), HasSubstr("is absolute"));
  EXPECT_THAT(error_of("[[mounts]]\nhost = \"a\"\nguest = \"a\""), HasSubstr("is not absolute"));
  EXPECT_THAT(error_of("[[mounts]]\nhost = \"a\"\nguest = \"/a/..\""), HasSubstr("'.' or '..'"));
  EXPECT_THAT(error_of("[[mounts]]\nhost = \"a\"\nguest = \"/x\"\n"
                       "[[mounts]]\nhost = \"b\"\nguest = \"/x/\"\n"),
              HasSubstr("hello.toml:4: two mounts have the guest path /x"));
}

TEST(Manifest, LimitsStayBetweenTheLeastAndTheCeiling) {
  EXPECT_EQ(error_of("[limits]\nmemory = \"2GiB\""),
            "hello.toml:2: limits.memory: 2GiB is above what the server allows, 1GiB");
  EXPECT_EQ(error_of("[limits]\nmemory = \"1KiB\""),
            "hello.toml:2: limits.memory: 1KiB is below the least that works, 64KiB");
  EXPECT_EQ(error_of("[limits]\ntimeout = \"1h\""),
            "hello.toml:2: limits.timeout: 1h is above what the server allows, 5m");
  EXPECT_EQ(error_of("[limits]\ntimeout = \"0s\""),
            "hello.toml:2: limits.timeout: 0s is below the least that works, 1ms");
  EXPECT_EQ(error_of("[limits]\nconcurrency = 0"),
            "hello.toml:2: limits.concurrency: expected 1 to 1000, got 0");
  EXPECT_EQ(parsed("[limits]\nmemory = \"1GiB\"\ntimeout = \"5m\"").limits.memory_bytes,
            1ULL << 30);
}

TEST(Manifest, MountHostsAreFoundWhateverElseIsWrong) {
  EXPECT_THAT(mount_hosts_of("wrong = 1\n[[mounts]]\nhost = \"data\"\n[[mounts]]\nhost = 5\n"
                             "[[mounts]]\nhost = \"b/c\"\n"),
              ElementsAre("data", "b/c"));
  EXPECT_TRUE(mount_hosts_of("[mounts]\nhost = \"data\"").empty());
  EXPECT_TRUE(mount_hosts_of("not toml [").empty());
}

TEST(Units, ReadsTimes) {
  EXPECT_EQ(parse_duration("250ms")->count(), 250);
  EXPECT_EQ(parse_duration("10s")->count(), 10'000);
  EXPECT_EQ(parse_duration("1m")->count(), 60'000);
  EXPECT_EQ(parse_duration("2h")->count(), 7'200'000);
  EXPECT_EQ(parse_duration("1.5s")->count(), 1500);
  EXPECT_EQ(parse_duration("0.001 s")->count(), 1);
  for (const char* text :
       {"", "10", "s", "-1s", "1.5ms", "1 0s", "10S", "10 sec", "1e3s", ".5s", "1.s", "1..5s",
        "99999999999999999999s", "999999999999999999h", " 1s", "1s ", "10s\n"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Units, ReadsSizes) {
  EXPECT_EQ(parse_size("512").value(), 512U);
  EXPECT_EQ(parse_size("512B").value(), 512U);
  EXPECT_EQ(parse_size("64KiB").value(), 64U << 10);
  EXPECT_EQ(parse_size("128 MiB").value(), 128U << 20);
  EXPECT_EQ(parse_size("1GiB").value(), 1U << 30);
  EXPECT_EQ(parse_size("0.5KiB").value(), 512U);
  EXPECT_EQ(parse_size("64MB").value(), 64'000'000U);
  for (const char* text : {"", "MiB", "1Mi", "1 ", "1.5", "-1", "1mib", "0x10", "99999999999GiB"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Units, WritesWhatItReads) {
  for (const char* text : {"0ms", "250ms", "10s", "5m", "90s"}) {
    EXPECT_EQ(format_duration(parse_duration(text).value()), text);
  }
  for (const char* text : {"0", "1000", "64KiB", "128MiB", "4GiB", "1025KiB"}) {
    EXPECT_EQ(format_size(parse_size(text).value()), text);
  }
}

TEST(Manifest, HostsAreNames) {
  EXPECT_EQ(parsed("host = \"api.example.com\"").host, "api.example.com");
  EXPECT_EQ(parsed("host = \"*.example.com\"").host, "*.example.com");
  for (const char* host : {"", "*", "*.", "API.example.com", "a..b", ".a", "a.", "a:80", "a/b",
                           "*.*.a", "a.*.b", "http://a", "[::1]"}) {
    EXPECT_THAT(error_of(fmt::format("host = \"{}\"", host)), HasSubstr("is no host")) << host;
  }
}

TEST(Manifest, AStoreMayBeShared) {
  EXPECT_FALSE(parsed("").kv_namespace);
  EXPECT_EQ(parsed("[kv]\nnamespace = \"todos\"").kv_namespace, "todos");
  EXPECT_THAT(error_of("[kv]\nnamespace = \"\""), HasSubstr("a store's name has 1 to 256 bytes"));
  EXPECT_THAT(error_of("[kv]\nname = \"a\""), HasSubstr("unknown key 'name'"));
}

TEST(Manifest, SmokeIsAPathAndAStatus) {
  EXPECT_FALSE(parsed("").smoke);
  const auto smoke = parsed("[smoke]\npath = \"/hello?a=1\"\nexpect_status = 204").smoke;
  ASSERT_TRUE(smoke);
  EXPECT_EQ(smoke->path, "/hello?a=1");
  EXPECT_EQ(smoke->expect_status, 204);
  EXPECT_EQ(parsed("[smoke]\npath = \"/\"").smoke->expect_status, 200);
  EXPECT_THAT(error_of("[smoke]\nexpect_status = 200"), HasSubstr("[smoke] without 'path'"));
  for (const char* path : {"", "hello", "/a b", "http://a/", "/\\u0001", "*"}) {
    EXPECT_THAT(error_of(fmt::format("[smoke]\npath = \"{}\"", path)), HasSubstr("is no path"));
  }
  EXPECT_THAT(error_of("[smoke]\npath = \"/\"\nexpect_status = 99"), HasSubstr("expect_status"));
}

}  // namespace
}  // namespace funcd::registry
