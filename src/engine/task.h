#pragma once

#include <cstdint>
#include <span>

#include "base/clock.h"
#include "engine/guest.h"
#include "engine/guest_state.h"
#include "engine/program.h"
#include "engine/spare_instances.h"
#include "engine/stdio.h"
#include "funcd_bridge.h"

namespace funcd::engine {

class SnapshotBuild;

// Called when a task that waits can be polled again. From any thread; it only posts.
struct Waker {
  void (*wake)(void* context, std::uint64_t key) = nullptr;
  void* context = nullptr;
  std::uint64_t key = 0;
};

// No entry point: the run is over once the instance is there.
inline constexpr const char* kInstantiateOnly = "";

struct TaskOptions {
  const char* entry = kCommandEntry;  // of another, _initialize is called first where there is one
  Resumption resumption = Resumption::from_start;
  std::span<const Mount> mounts{};
  // The process's own standard streams for a guest with mounts, whose calls may then block.
  bool is_stdio_inherited = false;
  Waker waker{};  // of guests with mounts; others wait for time only
  // Where the instance may come from, and go to; those of the thread that polls the task.
  SpareInstances* spares = nullptr;
};

// One guest run that is polled to its end, in an instance that is as fresh as the module says. Used
// by one thread at a time. Dropping it ends the guest, wherever it is.
class Task {
 public:
  enum class State : std::uint8_t {
    done,      // ending() says how
    runnable,  // used up its slice: poll again after others had their turn
    sleeping,  // until wake_at()
    waiting,   // for the waker, at most until wake_at()
  };

  // `program`, `stdio` and what `options` borrows outlive the task.
  Task(const Program& program, GuestInput input, Stdio& stdio, const TaskLimits& limits,
       const TaskOptions& options);
  // One of the runs of a snapshot's build.
  enum class SnapshotRun : std::uint8_t { build, plain };
  Task(const SnapshotBuild& snapshot, SnapshotRun run, GuestInput input, Stdio& stdio,
       const TaskLimits& limits);
  ~Task();
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  // Runs the guest until it is done, has used its slice, or has to wait. Notices a deadline that
  // has passed. Not called again after done.
  [[nodiscard]] State poll();

  [[nodiscard]] TimePoint wake_at() const { return wake_at_; }
  [[nodiscard]] TimePoint deadline() const { return state_.deadline; }
  [[nodiscard]] const Ending& ending() const { return ending_; }
  [[nodiscard]] const Asked& asked() const { return state_.asked; }
  // Size of its linear memories, bytes; they only grow.
  [[nodiscard]] std::uint64_t memory_bytes() const { return usage_.memory_bytes; }

 private:
  void start(const Program& program, const TaskLimits& limits, const TaskOptions& options);

  GuestState state_;
  fb_usage usage_{0, false};
  EpochTicker& ticker_;
  fb_task* task_ = nullptr;
  bool has_waited_ = false;
  TimePoint wake_at_;
  std::uint64_t memory_bytes_max_;
  Ending ending_;
};

}  // namespace funcd::engine
