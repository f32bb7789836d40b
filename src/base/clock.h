#pragma once

#include <chrono>

namespace funcd {

// Monotonic time, for everything that is measured or limited. Wall time is asked for only where a
// human or a protocol reads it.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

}  // namespace funcd
