#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace funcd {

class TimerWheel;

// Timers fire in steps of this; a wheel's time is counted in ticks since its start.
inline constexpr std::chrono::milliseconds kTimerTick{1};

// One timer: a member of what it times out, so that arming it allocates nothing and destroying the
// owner disarms it. Fires once per arm(), never early, at most kTimerTick late plus the loop's lag.
class Timer {
 public:
  using Callback = void (*)(void* owner);

  Timer(TimerWheel& wheel, void* owner, Callback callback);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fires at `at`, on a later turn of the loop even if that has passed; an armed timer is moved.
  // O(1), cheap enough for every request.
  void arm(TimePoint at);
  void disarm();
  bool is_armed() const { return link_ != nullptr; }

 private:
  friend class TimerWheel;
  TimerWheel& wheel_;
  void* owner_;
  Callback callback_;
  std::uint64_t tick_ = 0;
  Timer* next_ = nullptr;
  Timer** link_ = nullptr;  // what points at this timer, null when not armed
};

// The armed timers of one loop, hashed by time into levels of 64 slots, each level 64 times as
// coarse as the one below: Varghese and Lauck's hierarchical wheel. A slot of a coarse level is
// spread over the finer ones when its time comes. Knows no clock: time is what advance() is told.
// Owned by the loop, outlives its timers; one thread.
class TimerWheel {
 public:
  // Called when advance() is wanted at `at`, earlier than was asked for before, or for the first
  // time since advance(). What was asked for before is forgotten.
  using Wake = void (*)(void* context, TimePoint at);

  TimerWheel(TimePoint start, Wake wake, void* context);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Fires what is due at `now`, in the order of ticks, then asks for the next wake-up. A callback
  // may arm, disarm and destroy any timer. Time that runs backwards is ignored.
  void advance(TimePoint now);

  bool is_empty() const { return armed_ == 0; }

 private:
  friend class Timer;

  static constexpr std::size_t kLevels = 6;  // of 64 slots each: 2^36 ms, two years
  static constexpr std::size_t kSlotBits = 6;
  static constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;
  static constexpr std::uint64_t kTicksMax = std::uint64_t{1} << (kLevels * kSlotBits);

  struct Level {
    std::uint64_t occupied = 0;  // bit s: slot s has timers
    std::array<Timer*, kSlots> slots{};
  };
  struct Due {
    std::size_t level;
    std::size_t slot;
    std::uint64_t tick;
  };

  void arm(Timer& timer, TimePoint at);
  void disarm(Timer& timer);
  void insert(Timer& timer);
  void unlink(Timer& timer);
  void process(const Due& due);
  void fire_due_timers();
  void ask_for_wake(std::uint64_t tick);
  [[nodiscard]] std::optional<Due> next_due() const;
  [[nodiscard]] std::uint64_t tick_at_or_after(TimePoint at) const;

  TimePoint start_;
  Wake wake_;
  void* context_;
  std::uint64_t now_ = 0;              // ticks that have been processed
  std::uint64_t wake_tick_ = kNoTick;  // what was asked for last
  bool is_advancing_ = false;
  std::size_t armed_ = 0;
  Timer* due_ = nullptr;  // about to fire, within advance()
  std::array<Level, kLevels> levels_{};

  static constexpr std::uint64_t kNoTick = UINT64_MAX;
};

}  // namespace funcd
