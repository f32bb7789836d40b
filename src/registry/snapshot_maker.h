#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/program.h"
#include "engine/snapshot.h"
#include "registry/compile_lane.h"
#include "registry/manifest.h"
#include "registry/program_loader.h"

namespace funcd::registry {

// Makes programs that start from a snapshot: runs an artifact as far as its sidecar says, keeps
// what that left in memory, and uses it only when a run from there prints what a plain one does.
class SnapshotMaker {
 public:
  // `loader` outlives this. `compile_elsewhere` compiles what the build runs, and what starts from
  // the snapshot; empty: the thread that calls make() does.
  explicit SnapshotMaker(ProgramLoader& loader, Compile compile_elsewhere = nullptr)
      : loader_(loader), compile_elsewhere_(std::move(compile_elsewhere)) {}

  struct Order {
    const std::string& function;  // its name, the guest's first argument
    std::span<const std::uint8_t> artifact;
    const std::string& digest;
    const Manifest& manifest;
    bool is_reactor = false;
    std::stop_token stop = {};  // of compilers elsewhere, and of further runs
  };

  // Names a snapshot in the cache of compiled code: all that went into it.
  [[nodiscard]] static std::string digest_of(const Order& order);

  struct Made {
    std::shared_ptr<const engine::Program> program;  // null: it starts plainly
    std::string reason;                              // why; else empty
  };
  // Takes the time of a compilation and a half, and that of the runs. An error is for what would
  // fail without a snapshot too.
  [[nodiscard]] Result<Made> make(const Order& order);

 private:
  [[nodiscard]] Result<Made> make_component(const Order& order, const engine::SnapshotBuild& build);
  [[nodiscard]] Result<std::vector<std::uint8_t>> code_of(const Order& order,
                                                          const engine::SnapshotBuild& build,
                                                          const engine::Asked& asked);
  [[nodiscard]] Result<std::vector<std::uint8_t>> compile(std::span<const std::uint8_t> wasm,
                                                          engine::Tier tier,
                                                          const std::stop_token& stop) const;
  [[nodiscard]] Result<Made> keep(const Order& order, std::span<const std::uint8_t> code);

  ProgramLoader& loader_;
  const Compile compile_elsewhere_;
};

// What has come of a snapshot.
struct MadeSnapshot {
  std::string key;  // of the revision, RevisionBuilder::Outcome's: with its limits it was made
  Result<SnapshotMaker::Made> made;
};

}  // namespace funcd::registry
