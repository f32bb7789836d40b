#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/guest.h"
#include "engine/surroundings.h"
#include "registry/json_schema.h"
#include "registry/lazy_program.h"
#include "registry/manifest.h"
#include "telemetry/function_log.h"
#include "telemetry/function_metrics.h"

namespace funcd::registry {

// A named unit of code: what stays when one revision follows another. Made once for each name and
// kept as long as the server runs.
struct Function {
  // A canary counts and logs for itself, and is the same function otherwise.
  Function(std::string name_in, std::size_t workers, std::uint64_t canary_in = 0);

  const std::string name;      // "api/users"
  const std::uint64_t canary;  // its number; 0: no canary
  const std::string title;     // for people: "api/users", "api/users@2"
  telemetry::FunctionMetrics metrics;
  telemetry::FunctionLog log;
  std::atomic<std::uint32_t> in_flight{0};  // invocations running now, for [limits] concurrency
};

// Whether an instance starts from a snapshot, and if not although it was to, why.
struct SnapshotUse {
  bool is_wanted = false;
  bool is_used = false;
  std::string reason;
};

// An artifact and its manifest, proved good and ready to run. Immutable; shared by the catalogs
// that name it and the invocations that run it, gone when the last of them is.
struct Revision {
  std::shared_ptr<Function> function;
  std::string digest;          // SHA-256 of the artifact, hex
  std::string sidecar_digest;  // and of the sidecar; "" without one, or where it is empty
  std::map<std::string, std::string> schema_digests;  // and of its schemas, by path beside it
  Manifest manifest;
  ContractKind contract = ContractKind::automatic;  // resolved as far as the artifact tells
  bool is_reactor = false;                          // its handle is called, not its _start
  SnapshotUse snapshot;
  std::string route;                                  // "/users/{id}"
  std::shared_ptr<LazyProgram> program;               // in memory while it is used
  std::shared_ptr<const JsonSchema> request_schema;   // may be null
  std::shared_ptr<const JsonSchema> response_schema;  // may be null
  std::vector<engine::Mount> mounts;
  std::shared_ptr<const engine::Surroundings> surroundings;  // of a component; else null
  std::chrono::system_clock::time_point published_at;

  // Of its store of keys and values, which functions that name one share.
  [[nodiscard]] const std::string& kv_namespace() const {
    return manifest.kv_namespace ? *manifest.kv_namespace : function->name;
  }
  // What an invocation calls, and whether it goes on from a snapshot.
  [[nodiscard]] const char* entry() const {
    return is_reactor ? engine::kReactorEntry : engine::kCommandEntry;
  }
  [[nodiscard]] engine::Resumption resumption() const {
    return snapshot.is_used ? engine::Resumption::from_snapshot : engine::Resumption::from_start;
  }
};

}  // namespace funcd::registry
