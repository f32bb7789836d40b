#include <algorithm>
#include <array>
#include <chrono>

#include "engine/host_call.h"
#include "engine/wasi_p1.h"

// poll_oneoff: clocks and standard streams that are not ready put the guest to sleep, not the
// thread.
namespace funcd::engine {
namespace {

enum class EventType : std::uint8_t { clock, read, write };

// witx `subscription`, with its union spelled out.
struct Subscription {
  std::uint64_t userdata;
  EventType type;
  std::array<std::uint8_t, 7> padding;
  std::uint32_t clock_or_descriptor;
  std::uint32_t padding_2;
  std::uint64_t timeout;
  std::uint64_t precision;
  std::uint16_t flags;
  std::array<std::uint8_t, 6> padding_3;
};
static_assert(sizeof(Subscription) == 48);

// witx `event`.
struct Event {
  std::uint64_t userdata = 0;
  Errno error = Errno::success;
  EventType type = EventType::clock;
  std::array<std::uint8_t, 5> padding{};
  std::uint64_t bytes = 0;
  std::uint16_t flags = 0;
  std::array<std::uint8_t, 6> padding_2{};
};
static_assert(sizeof(Event) == 32);

constexpr std::uint32_t kRealtime = 0;
constexpr std::uint32_t kMonotonic = 1;
constexpr std::uint16_t kAbsolute = 1;

// More in one call than any runtime has descriptors and timers for.
constexpr std::uint32_t kSubscriptionsMax = 4096;
// How often a stdin that is not ready is looked at.
constexpr std::chrono::milliseconds kStdinPollInterval{5};

// Later than any deadline, and still far from overflow.
constexpr std::chrono::nanoseconds kLongest = std::chrono::hours(24 * 365);

std::chrono::nanoseconds bounded(std::uint64_t nanoseconds) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(
      std::min(nanoseconds, static_cast<std::uint64_t>(kLongest.count()))));
}

// When a clock subscription that was made at `asked_at` is due.
TimePoint due_at(const Subscription& clock, const GuestState& guest, TimePoint asked_at) {
  if ((clock.flags & kAbsolute) == 0) return asked_at + bounded(clock.timeout);
  if (clock.clock_or_descriptor == kMonotonic) return guest.started_at + bounded(clock.timeout);
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  const auto now = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count());
  return Clock::now() + bounded(clock.timeout > now ? clock.timeout - now : 0);
}

// What one look at all subscriptions has found.
struct Look {
  Errno error = Errno::success;
  std::uint32_t ready_count = 0;
  std::optional<TimePoint> next_due;
  bool awaits_stream = false;
};

class Poller {
 public:
  Poller(HostCall& call, TimePoint asked_at, TimePoint now)
      : call_(call), asked_at_(asked_at), now_(now) {}

  // Whether the subscription is ready; learns what to wait for when it is not.
  bool is_ready(const Subscription& subscription, Look& look) const {
    switch (subscription.type) {
      case EventType::clock:
        return is_clock_due(subscription, look);
      case EventType::read:
        if (call_.stream(subscription.clock_or_descriptor) != 0) {
          look.error = Errno::badf;
          return false;
        }
        look.awaits_stream = true;
        return call_.guest.stdio.is_readable();
      case EventType::write:
        if (call_.stream(subscription.clock_or_descriptor).value_or(0) == 0) {
          look.error = Errno::badf;
          return false;
        }
        look.awaits_stream = true;
        return call_.guest.stdio.is_writable(*call_.stream(subscription.clock_or_descriptor));
    }
    look.error = Errno::inval;
    return false;
  }

 private:
  bool is_clock_due(const Subscription& clock, Look& look) const {
    if (clock.clock_or_descriptor != kRealtime && clock.clock_or_descriptor != kMonotonic) {
      look.error = Errno::inval;
      return false;
    }
    const TimePoint due = due_at(clock, call_.guest, asked_at_);
    if (due <= now_) return true;
    look.next_due = std::min(look.next_due.value_or(due), due);
    return false;
  }

  HostCall& call_;
  TimePoint asked_at_;
  TimePoint now_;
};

Answer sleep_until(HostCall& call, const Look& look, TimePoint now) {
  // The task's owner sees when a stream is ready.
  const bool is_watched = call.guest.stdio.is_watched();
  if (look.awaits_stream && is_watched && !look.next_due) return Answer::wait();
  TimePoint at = look.next_due.value_or(now + kLongest);
  if (look.awaits_stream && !is_watched) at = std::min(at, now + kStdinPollInterval);
  call.guest.is_sleeping = true;
  call.guest.wake_at = at;
  return Answer::wait();
}

Answer poll_oneoff(HostCall& call, std::uint32_t subscriptions, std::uint32_t events,
                   std::uint32_t count, std::uint32_t result) {
  if (count == 0 || count > kSubscriptionsMax) return Errno::inval;
  if (!call.memory.bytes(subscriptions, count * sizeof(Subscription)) ||
      !call.memory.bytes(events, count * sizeof(Event))) {
    return call.bad_pointer();
  }
  // The first look starts the relative clocks; later looks must not start them again.
  const TimePoint now = Clock::now();
  std::uint64_t& asked = call.guest.call_progress;
  if (asked == 0) asked = static_cast<std::uint64_t>(now.time_since_epoch().count());
  const TimePoint asked_at{Duration(static_cast<Duration::rep>(asked))};

  const Poller poller(call, asked_at, now);
  Look look;
  for (std::uint32_t index = 0; index < count; ++index) {
    const auto subscription = call.memory.load<Subscription>(
        subscriptions + index * static_cast<std::uint32_t>(sizeof(Subscription)));
    if (!subscription) return call.bad_pointer();
    const bool is_ready = poller.is_ready(*subscription, look);
    if (look.error != Errno::success) {
      asked = 0;
      return look.error;
    }
    if (!is_ready) continue;
    const auto at = events + look.ready_count * static_cast<std::uint32_t>(sizeof(Event));
    const bool is_clock = subscription->type == EventType::clock;
    if (!call.memory.store(at, Event{.userdata = subscription->userdata,
                                     .type = subscription->type,
                                     .bytes = is_clock ? 0U : 1U})) {
      return call.bad_pointer();
    }
    ++look.ready_count;
  }
  if (look.ready_count == 0) return sleep_until(call, look, now);
  asked = 0;
  return call.give(result, look.ready_count);
}

constexpr std::array kFunctions = {waiting_host_function<&poll_oneoff>("poll_oneoff")};

}  // namespace

std::span<const fb_host_function> wasi_poll_functions() {
  return kFunctions;
}

}  // namespace funcd::engine
