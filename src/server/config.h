#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "contract/contract.h"
#include "engine/compiler_process.h"
#include "http/server.h"
#include "registry/manifest.h"
#include "source/s3_endpoint.h"

namespace funcd::server {

// What a sidecar may ask for at the most, unless funcd.toml says otherwise.
inline constexpr registry::Limits kDefaultCeilings = {
    .timeout = std::chrono::minutes(5),
    .memory_bytes = 1ULL << 30,
    .request_body_bytes = 256ULL << 20,
    .response_body_bytes = 256ULL << 20,
    .stderr_bytes = 1ULL << 20,
    .concurrency = 10'000,
};

// All that a server can be told. A plain value with a default for everything; config_option.cc
// gives each member its key.
struct Config {
  std::string source = "functions";  // the folder of functions, or s3://BUCKET/PREFIX
  http::Endpoint listen{"127.0.0.1", 8000};
  std::optional<http::Endpoint> admin = http::Endpoint{"127.0.0.1", 8001};  // nothing: off
  std::size_t workers = 1;
  std::string cache_dir;
  std::uint64_t cache_bytes_max = 1ULL << 30;
  // Programs that are not used for so long leave memory; 0: none does.
  std::chrono::milliseconds unload_after = std::chrono::minutes(10);

  source::S3Options s3;  // of a source that is a bucket
  std::chrono::milliseconds s3_poll{10'000};
  std::chrono::milliseconds s3_wait{3'000};  // at start, for the bucket, where there is a copy
  std::uint64_t s3_bytes_max = 4ULL << 30;   // of all objects together

  std::string kv_file;  // of functions' stores; empty: of this source, in the user's state folder
  std::uint64_t kv_bytes_max = 1ULL << 20;  // of one store

  registry::Limits limits;  // of functions whose sidecar is silent
  registry::Limits ceilings = kDefaultCeilings;
  std::uint32_t instances_max = 0;  // 0: as many as the kernel allows (engine::EngineOptions)
  // Invocations that run at once, over all functions and workers; 0: instances_max.
  std::uint32_t concurrency_max = 0;
  std::uint32_t queue_max = 1'024;  // requests that wait for their turn; one more is overloaded
  std::chrono::milliseconds queue_timeout{5'000};   // of a request that waits for its turn
  std::chrono::milliseconds build_timeout{30'000};  // of one that waits for a first build
  std::uint64_t stack_bytes = 512ULL << 10;         // of each guest
  bool has_epochs = true;  // off only to measure what they cost: no guest is stopped any more

  // The optimizing compiler, in a process of its own.
  engine::CompilerLimits compiler;
  bool has_baseline = true;  // functions go live with baseline code until it is through

  http::ServerOptions http;  // connections_max, held_bytes_max: those of all workers together
  std::chrono::milliseconds drain_timeout{30'000};

  contract::ErrorStyle errors = contract::ErrorStyle::precise;
  bool has_access_log = false;
  log::Level log_level = log::Level::info;
  log::Format log_format = log::Format::text;

  std::string config_file;  // the file that was read; empty when there was none
};

// Where settings come from. What a flag says goes before the environment, that before the file,
// that before the default.
struct ConfigSources {
  std::optional<std::string> config_file;                  // of --config; it must exist
  std::vector<std::pair<std::string, std::string>> flags;  // key ("limits.timeout") and text
  // An environment variable's value; nothing when it is not set.
  std::function<std::optional<std::string>(const std::string& name)> environment;
};
[[nodiscard]] std::optional<std::string> process_environment(const std::string& name);

// Where the functions' stores lie: kv_file, else a file for each source below
// ${XDG_STATE_HOME:-~/.local/state}/funcd (XDG Base Directory Specification).
[[nodiscard]] std::string kv_file_of(
    const Config& config,
    const std::function<std::optional<std::string>(const std::string&)>& environment);

// The defaults and what the file says, without flags and environment; unchecked as a whole.
[[nodiscard]] Result<Config> load_config_file(const ConfigSources& sources);

// Reads and checks everything. Without --config and FUNCD_CONFIG the file is ./funcd.toml, if there
// is one. Errors name the flag, the variable, or the file and the line, and what is wrong with the
// value: "funcd.toml:3: unknown key 'limit' in [http]; known are body_timeout, ...".
[[nodiscard]] Result<Config> load_config(const ConfigSources& sources);

// Applies a funcd.toml. `file` names it in errors; relative paths in it are relative to its folder.
[[nodiscard]] Result<> apply_config_file(Config& config, std::string_view toml,
                                         const std::string& file);

}  // namespace funcd::server
