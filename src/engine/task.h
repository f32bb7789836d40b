#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/guest.h"
#include "engine/guest_state.h"
#include "engine/program.h"

struct fb_task;

namespace funcd::engine {

// Called when a task that waits can be polled again. From any thread; it only posts.
struct Waker {
  void (*wake)(void* context, std::uint64_t key) = nullptr;
  void* context = nullptr;
  std::uint64_t key = 0;
};

// One guest run that is polled to its end: a fresh instance, which is gone with the task. Used by
// one thread at a time. Dropping it ends the guest, wherever it is.
class Task {
 public:
  enum class State : std::uint8_t {
    done,      // ending() says how
    runnable,  // used up its slice: poll again after others had their turn
    sleeping,  // until wake_at()
    waiting,   // for the waker
  };

  // `program`, `stdio` and what `input` borrows outlive the task.
  Task(const Program& program, GuestInput input, Stdio& stdio, const TaskLimits& limits,
       std::span<const Mount> mounts, Waker waker);
  ~Task();
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  // Runs the guest until it is done, has used its slice, or has to wait. Notices a deadline that
  // has passed. Not called again after done.
  [[nodiscard]] State poll();

  [[nodiscard]] TimePoint wake_at() const { return state_.wake_at; }
  [[nodiscard]] const Ending& ending() const { return ending_; }
  // Largest size of its linear memories, bytes; known when done.
  [[nodiscard]] std::uint64_t memory_bytes_peak() const { return memory_bytes_peak_; }

 private:
  void conclude();

  GuestState state_;
  fb_task* task_ = nullptr;
  Ending ending_;
  std::uint64_t memory_bytes_peak_ = 0;
};

}  // namespace funcd::engine
