#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/surroundings.h"
#include "registry/canary.h"

namespace funcd::registry {

// How a request becomes guest input and guest output a response.
enum class ContractKind : std::uint8_t { automatic, data, cgi, wws, wasi_http, reactor };
[[nodiscard]] std::string_view name_of(ContractKind kind);  // "auto", "wasi-http"

// Bounds of one function; each has a default that is on.
struct Limits {
  std::chrono::milliseconds timeout{10'000};
  std::uint64_t memory_bytes = 128ULL << 20;
  std::uint64_t request_body_bytes = 8ULL << 20;
  std::uint64_t response_body_bytes = 32ULL << 20;
  std::uint64_t stderr_bytes = 64ULL << 10;  // more is dropped, and counted
  std::uint32_t concurrency = 64;
};

struct MountSpec {
  std::string host;   // as written: relative to the functions folder
  std::string guest;  // absolute in the guest
  bool is_writable = false;
  std::uint32_t line = 0;  // of the sidecar
};

// [snapshot]: whether an invocation starts from the memory that an earlier run has left.
struct SnapshotSpec {
  std::optional<bool> starts;  // silent: reactors do, commands do not
  bool is_warm = false;        // the snapshot is taken after one warm-up call
};

// [outbound]: whom a component may send requests to. Nobody, unless named.
struct Outbound {
  std::vector<engine::OutboundRule> allow;
  engine::OutboundLimits limits;
};

// [smoke]: the request that a revision must answer so before it goes live.
struct Smoke {
  std::string path;  // "/hello?name=n": GET of it
  int expect_status = 200;
};

// What `hello.toml` says of hello.wasm, with defaults where it is silent. A plain value.
struct Manifest {
  ContractKind contract = ContractKind::automatic;
  std::optional<std::string> route;  // "/users/{id}"; else the function's name
  std::string host;                  // "api.example.com", "*.example.com"; empty: every host
  std::vector<std::string> methods;  // upper case; empty: all
  // [input]: key and JSON text of each default of DATA, in the order of the file.
  std::vector<std::pair<std::string, std::string>> input;
  std::optional<std::string> request_schema;  // path of a JSON Schema, beside the sidecar
  std::optional<std::string> response_schema;
  std::vector<std::pair<std::string, std::string>> env;
  std::optional<std::string> kv_namespace;  // [kv]; else the function's name
  Limits limits;
  std::uint32_t reuse = 1;  // requests that an instance answers, one after another, at the most
  std::vector<MountSpec> mounts;
  SnapshotSpec snapshot;
  Outbound outbound;
  std::optional<Smoke> smoke;
  std::optional<CanarySpec> canary;  // of a canary, always
  // Lines of the sidecar, for what shows to be wrong only beside other files; 0: it is silent.
  struct Lines {
    std::uint32_t request_schema = 0;
    std::uint32_t response_schema = 0;
    std::uint32_t canary = 0;
  } lines;
};

// What a sidecar's limits may not be less than: below it no function runs.
inline constexpr Limits kLimitsMin{.timeout = std::chrono::milliseconds(1),
                                   .memory_bytes = 64ULL << 10,
                                   .request_body_bytes = 0,
                                   .response_body_bytes = 1,
                                   .stderr_bytes = 0,
                                   .concurrency = 1};
inline constexpr std::uint64_t kSidecarBytesMax = 1ULL << 20;
inline constexpr std::size_t kHostBytesMax = 253;
inline constexpr std::size_t kKvNameBytesMax = 256;
inline constexpr std::uint32_t kReuseMax = 1'000'000;

// Reads a sidecar. `file` names it in errors: "hello.toml:3: unknown key 'limit' in [limits]; known
// are timeout, memory, ...". Limits that are silent come from `defaults`; one above `ceilings` or
// below kLimitsMin is an error that names both. Paths are checked as text only.
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view toml, std::string_view file,
                                              const Limits& defaults, const Limits& ceilings);

// Host folders that a sidecar mounts, however wrong the rest of it is: what is in them is not for
// serving. Empty when it is no TOML.
[[nodiscard]] std::vector<std::string> mount_hosts_of(std::string_view toml);

// "10s", "250ms", "1m", "1.5h"; "128MiB", "64KiB", "1GiB", "512" (bytes), "64MB" (of 1000). Shared
// with funcd.toml.
[[nodiscard]] Result<std::chrono::milliseconds> parse_duration(std::string_view text);
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);
// Exact, as the two above read it.
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace funcd::registry
