#include "base/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace funcd {

Timer::Timer(TimerWheel& wheel, void* owner, Callback callback)
    : wheel_(wheel), owner_(owner), callback_(callback) {}

Timer::~Timer() {
  disarm();
}

void Timer::arm(TimePoint at) {
  wheel_.arm(*this, at);
}

void Timer::disarm() {
  if (is_armed()) wheel_.disarm(*this);
}

TimerWheel::TimerWheel(TimePoint start, Wake wake, void* context)
    : start_(start), wake_(wake), context_(context) {}

TimerWheel::~TimerWheel() {
  CHECK(is_empty(), "{} timers outlive their wheel", armed_);
}

std::uint64_t TimerWheel::tick_at_or_after(TimePoint at) const {
  if (at <= start_) return 0;
  const Duration since_start = at - start_;
  if (since_start > Duration::max() - kTimerTick) return kNoTick - 1;
  constexpr Duration kTick = kTimerTick;
  return static_cast<std::uint64_t>((since_start + kTick - Duration{1}) / kTick);
}

void TimerWheel::arm(Timer& timer, TimePoint at) {
  if (timer.is_armed()) {
    unlink(timer);
  } else {
    ++armed_;
  }
  // A tick that has been processed does not come again.
  timer.tick_ = std::max(tick_at_or_after(at), now_ + 1);
  insert(timer);
  if (!is_advancing_ && timer.tick_ < wake_tick_) ask_for_wake(timer.tick_);
}

void TimerWheel::disarm(Timer& timer) {
  unlink(timer);
  --armed_;
}

void TimerWheel::insert(Timer& timer) {
  // What lies beyond the top level waits in its last slot and is looked at again from there.
  const std::uint64_t tick = std::min(timer.tick_, now_ + kTicksMax - 1);
  const std::uint64_t differing = std::min((tick ^ now_) | (kSlots - 1), kTicksMax - 1);
  const std::size_t index = (static_cast<std::size_t>(std::bit_width(differing)) - 1) / kSlotBits;
  const std::size_t slot = (tick >> (index * kSlotBits)) & (kSlots - 1);
  Level& level = levels_[index];
  level.occupied |= std::uint64_t{1} << slot;
  Timer*& head = level.slots[slot];
  timer.next_ = head;
  timer.link_ = &head;
  if (head != nullptr) head->link_ = &timer.next_;
  head = &timer;
}

void TimerWheel::unlink(Timer& timer) {
  Timer** const link = timer.link_;
  *link = timer.next_;
  if (timer.next_ != nullptr) timer.next_->link_ = link;
  timer.next_ = nullptr;
  timer.link_ = nullptr;
  if (*link != nullptr) return;
  for (Level& level : levels_) {
    if (link < level.slots.data() || link >= level.slots.data() + kSlots) continue;
    level.occupied &= ~(std::uint64_t{1} << (link - level.slots.data()));
    return;
  }
}

std::optional<TimerWheel::Due> TimerWheel::next_due() const {
  for (std::size_t index = 0; index < kLevels; ++index) {
    const Level& level = levels_[index];
    if (level.occupied == 0) continue;
    const std::size_t shift = index * kSlotBits;
    const std::uint64_t now_slot = (now_ >> shift) & (kSlots - 1);
    const auto ahead = std::rotr(level.occupied, static_cast<int>(now_slot));
    const std::uint64_t slot =
        (now_slot + static_cast<std::uint64_t>(std::countr_zero(ahead))) & (kSlots - 1);
    const std::uint64_t round = std::uint64_t{1} << (shift + kSlotBits);
    std::uint64_t tick = (now_ & ~(round - 1)) + (slot << shift);
    // Only the top level wraps around: the slot is one of the round to come.
    if (tick <= now_) tick += round;
    return Due{index, slot, tick};
  }
  return std::nullopt;
}

void TimerWheel::advance(TimePoint now) {
  CHECK(!is_advancing_);
  is_advancing_ = true;
  wake_tick_ = kNoTick;
  const auto target =
      now <= start_ ? 0 : static_cast<std::uint64_t>((now - start_) / Duration{kTimerTick});
  std::optional<Due> due = next_due();
  while (due && due->tick <= target) {
    process(*due);
    due = next_due();
  }
  now_ = std::max(now_, target);
  is_advancing_ = false;
  due = next_due();
  if (due) ask_for_wake(due->tick);
}

void TimerWheel::process(const Due& due) {
  now_ = due.tick;
  Level& level = levels_[due.level];
  Timer* timer = level.slots[due.slot];
  level.slots[due.slot] = nullptr;
  level.occupied &= ~(std::uint64_t{1} << due.slot);
  while (timer != nullptr) {
    Timer* const next = timer->next_;
    if (timer->tick_ <= now_) {
      timer->next_ = due_;
      timer->link_ = &due_;
      if (due_ != nullptr) due_->link_ = &timer->next_;
      due_ = timer;
    } else {
      insert(*timer);
    }
    timer = next;
  }
  fire_due_timers();
}

void TimerWheel::fire_due_timers() {
  // One by one from the list: a callback may disarm or destroy those that come after it.
  while (due_ != nullptr) {
    Timer& timer = *due_;
    disarm(timer);
    timer.callback_(timer.owner_);
  }
}

void TimerWheel::ask_for_wake(std::uint64_t tick) {
  wake_tick_ = tick;
  constexpr auto kTicksInTime =
      static_cast<std::uint64_t>(Duration::max() / Duration{kTimerTick}) / 2;
  wake_(context_, start_ + kTimerTick * std::min(tick, kTicksInTime));
}

}  // namespace funcd
