#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "engine/guest.h"
#include "engine/stdio.h"

namespace funcd::engine {

// What host functions know of the guest that calls them: its input, its descriptors, and what it
// waits for. Owned by its task, used on the task's thread.
struct GuestState {
  GuestState(GuestInput input_in, Stdio& stdio_in, const TaskLimits& limits)
      : input(std::move(input_in)),
        stdio(stdio_in),
        started_at(limits.started_at),
        deadline(limits.deadline) {}

  // Why a host function has ended the run.
  struct Stop {
    EndKind kind = EndKind::returned;
    int exit_code = 0;
    std::string message;
  };

  GuestInput input;
  Stdio& stdio;
  TimePoint started_at;
  TimePoint deadline;
  std::optional<Stop> stop;
  Asked asked;

  // Which standard stream each of the guest's descriptors is; kClosed once it was closed.
  static constexpr std::int8_t kClosed = -1;
  std::array<std::int8_t, 3> descriptors = {0, 1, 2};

  // Set by a host function that has the guest wait, cleared before each poll.
  bool has_yielded = false;  // it can go on when others had their turn
  bool is_sleeping = false;  // until wake_at
  TimePoint wake_at;

  // What a host call that is asked again after a wait has done so far.
  std::uint64_t call_progress = 0;
};

}  // namespace funcd::engine
