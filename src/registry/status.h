#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace funcd::registry {

// Where the newest version of a function stands.
enum class FunctionState : std::uint8_t {
  building,  // seen, not yet through; an older revision may be live meanwhile
  live,      // the newest file answers
  stale,     // the newest file did not get through; the last good revision answers
  failed,    // no revision has ever got through
};
[[nodiscard]] std::string_view name_of(FunctionState state);

struct FunctionStatus {
  std::string name;  // "hello"; "hello@2" of a canary
  FunctionState state = FunctionState::building;
  std::string route;     // of the live revision; empty when there is none
  std::string contract;  // "auto", "data", ...
  std::string digest;    // of the live revision
  std::uint64_t artifact_bytes = 0;
  std::chrono::system_clock::time_point published_at;  // of the live revision
  std::string error;                                   // why the newest is not live; else empty
  std::chrono::system_clock::time_point failed_at;     // of `error`
  std::chrono::microseconds build_elapsed{};           // of the live revision
  bool is_from_cache = false;                          // its compiled code was on disk
  std::string code;  // of the live revision: "baseline" until "optimized" is there
};

// A file that is reported and not served: "Bad Name.wasm", a sidecar without its module.
struct Problem {
  std::string path;
  std::string message;
};

// All that the registry knows, at one moment. A plain value, sorted by name.
struct Status {
  std::vector<FunctionStatus> functions;
  std::vector<Problem> problems;
  bool is_first_scan_done = false;  // everything that lay in the source at start has been decided
  std::string source;               // "functions/", as given
  std::string source_error;         // the source cannot be read now, and why; else empty
};

}  // namespace funcd::registry
