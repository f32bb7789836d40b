#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "registry/folder_scan.h"
#include "registry/lazy_program.h"
#include "registry/proof.h"
#include "registry/revision.h"
#include "registry/revision_builder.h"
#include "registry/sidecar.h"
#include "registry/status.h"

namespace funcd::registry {

// All that the builder remembers of one function. Kept when its module is gone, for the sake of
// Function, which is the same when the module comes back.
struct Record {
  std::shared_ptr<Function> function;
  FunctionStatus status;

  // What lies in the source; nothing when the module is gone.
  std::optional<Candidate> candidate;
  std::optional<Sidecar> sidecar;
  std::optional<TimePoint> missing_since;  // it was not found then; it may come back

  // What is live, and what went into it.
  std::shared_ptr<const Revision> live;
  std::string live_key;
  std::string live_shape;     // of its route; empty of a canary, which has its function's
  bool is_published = false;  // a catalog has had a revision of it
  Proof proof;                // of what is live
  // Programs of it that requests wait for, and whose code is gone from the cache.
  std::vector<std::shared_ptr<LazyProgram>> lost;

  // Of a canary: whether it stands beside its function in the catalog, and why not, once that is
  // known.
  bool is_paired = false;
  std::string unpaired_error;

  [[nodiscard]] bool is_canary() const { return function != nullptr && function->canary != 0; }

  // The last attempt.
  std::string failed_key;
  std::string failed_error;  // told already
  std::vector<Dependency> dependencies;
  bool is_transient = false;  // it failed for a reason that may pass

  // What another thread compiles for it; "" for nothing.
  std::string awaited_digest;
  engine::Tier awaited_tier = engine::Tier::optimized;
  std::string awaited_key;  // of the attempt, as failed_key
  // The key of the attempt for which another thread makes a snapshot, "" for none, and what has
  // come of that.
  std::string awaited_snapshot;
  std::optional<MadeSnapshot> snapshot;
  [[nodiscard]] bool is_awaiting() const {
    return !awaited_digest.empty() || !awaited_snapshot.empty();
  }

  // The attempt that is to come.
  enum class Stage : std::uint8_t { idle, check, compile };
  Stage stage = Stage::idle;
  std::uint64_t queued_bytes = 0;
  std::string queued_shape;  // of the route that it will want; "" when it cannot be told
  TimePoint noticed_at{};
};

}  // namespace funcd::registry
