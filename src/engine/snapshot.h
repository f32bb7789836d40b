#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/guest.h"
#include "engine/program.h"

struct fb_snapshot;

namespace funcd::engine {

// Whether a module is a reactor: exports _initialize and handle, and no _start.
[[nodiscard]] bool is_reactor(std::span<const std::uint8_t> wasm);

// Whether it is a component, by its first bytes.
[[nodiscard]] bool is_component(std::span<const std::uint8_t> wasm);

// Changes when another snapshot is made of the same module.
[[nodiscard]] std::uint32_t snapshot_recipe();

enum class WarmUp : std::uint8_t {
  none,
  one_call,  // of a reactor's funcd_warm or handle, of a command's main; of a component: one
             // request
};

// Whether a module can be stopped where its snapshot is taken, without a warm-up; an error says why
// not. Reads its code, and does not run it.
[[nodiscard]] Result<> may_snapshot(std::span<const std::uint8_t> wasm);

// What one run on the calling thread is given.
struct RunInput {
  GuestInput input;
  std::string_view stdin_bytes;
  std::uint64_t memory_bytes_max = 128ULL << 20;
  std::uint64_t output_bytes_max = 32ULL << 20;
  std::chrono::milliseconds timeout = kSnapshotTimeMax;
};

struct RunOutput {
  Ending ending;
  std::string out;
  std::string err;  // of stderr, the first 64 KiB
  Asked asked;

  // Neither trapped nor cut off.
  [[nodiscard]] bool has_ended_well() const {
    return ending.kind == EndKind::returned || ending.kind == EndKind::exited;
  }
};

// Runs `entry` in a fresh instance; blocks for its timeout at the most.
[[nodiscard]] RunOutput run_blocking(const Program& program, const char* entry,
                                     Resumption resumption, const RunInput& input);

// A module on its way to one that starts from the memory that a run of it has left. Not
// thread-safe; its engine outlives it.
class SnapshotBuild {
 public:
  // Compiles to Tier::scratch; empty: the engine does, on the calling thread.
  using CompileScratch =
      std::function<Result<std::vector<std::uint8_t>>(std::span<const std::uint8_t> wasm)>;
  // Takes the time of one or two quick compilations. An error says why there can be no snapshot:
  // "it has no names of functions; build it without -ldflags=-s, ...".
  [[nodiscard]] static Result<SnapshotBuild> create(const Engine& engine,
                                                    std::span<const std::uint8_t> wasm,
                                                    WarmUp warm_up,
                                                    const CompileScratch& compile = nullptr);
  ~SnapshotBuild();
  SnapshotBuild(SnapshotBuild&& other) noexcept;
  SnapshotBuild& operator=(SnapshotBuild&& other) = delete;

  // The run that leaves the snapshot. Its timeout is kSnapshotTimeMax at the most.
  [[nodiscard]] RunOutput run(const RunInput& input) const;
  // A run as an invocation without a snapshot is.
  [[nodiscard]] RunOutput run_plain(const RunInput& input) const;
  // Which function run() has called last: "_initialize", "handle".
  [[nodiscard]] std::string last_call() const;
  // The module that starts from it, once after a run() that has returned.
  [[nodiscard]] Result<std::vector<std::uint8_t>> module(const Asked& asked) const;

 private:
  friend class Task;
  friend class HttpTask;
  SnapshotBuild(fb_snapshot* snapshot, EpochTicker& ticker)
      : snapshot_(snapshot), ticker_(&ticker) {}

  fb_snapshot* snapshot_;
  EpochTicker* ticker_;
};

}  // namespace funcd::engine
