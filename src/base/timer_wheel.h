#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/clock.h"

namespace funcd {

class TimerWheel;

// One timer: a member of what it times out, so that arming it allocates nothing and destroying the
// owner disarms it. Fires once per arm(), never early, at most kTimerTick late plus the loop's lag.
class Timer {
 public:
  using Callback = void (*)(void* owner);

  Timer(TimerWheel& wheel, void* owner, Callback callback);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fires at `at`; an armed timer is moved. O(1), cheap enough for every request.
  void arm(TimePoint at);
  void disarm();
  bool is_armed() const { return is_armed_; }

 private:
  friend class TimerWheel;
  TimerWheel& wheel_;
  void* owner_;
  Callback callback_;
  TimePoint at_{};
  Timer* next_ = nullptr;
  Timer** link_ = nullptr;  // what points at this timer, null when not armed
  bool is_armed_ = false;
};

}  // namespace funcd
