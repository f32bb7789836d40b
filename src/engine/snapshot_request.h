#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/guest.h"
#include "engine/http_task.h"
#include "engine/program.h"
#include "engine/snapshot.h"
#include "engine/surroundings.h"

namespace funcd::engine {

// One GET request to a component on the calling thread: what leaves a component's snapshot, and
// what a run from it is compared by.
struct RequestInput {
  std::string_view path_with_query = "/";
  const Surroundings* surroundings = nullptr;
  std::uint64_t memory_bytes_max = 128ULL << 20;
  std::uint64_t body_bytes_max = 32ULL << 20;
  std::chrono::milliseconds timeout = kSnapshotTimeMax;
};

struct RequestOutput {
  Ending ending;
  HttpAnswer answer = HttpAnswer::none;
  HttpResponseHead head;
  std::string body;
  // Why there is no whole response, one line; empty when there is one.
  std::string failure;

  friend bool operator==(const RequestOutput& one, const RequestOutput& other);
};

// Sends it to a fresh instance, and reads the response to its end; blocks for its timeout at the
// most.
[[nodiscard]] RequestOutput answer_blocking(const Program& program, const RequestInput& input);
// The same of a component on its way to its snapshot: which of its runs.
[[nodiscard]] RequestOutput answer_blocking(const SnapshotBuild& build, Task::SnapshotRun run,
                                            const RequestInput& input);

}  // namespace funcd::engine
