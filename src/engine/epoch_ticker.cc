#include "engine/epoch_ticker.h"

#include <chrono>
#include <thread>

namespace funcd::engine {
namespace {

constexpr std::chrono::milliseconds kTick{1};
// Ticks without a guest after which the ticker sleeps. Waking it costs a system call, so not after
// every request.
constexpr int kQuietTicksMax = 200;

}  // namespace

std::size_t EpochTicker::slot_of_this_thread() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t slot = threads.fetch_add(1, std::memory_order_relaxed) % kSlots;
  return slot;
}

EpochTicker::Running::Running(EpochTicker& ticker)
    : slot_(ticker.slots_[slot_of_this_thread()].stretches) {
  // Sequentially consistent with park(): either it sees this stretch, or we see that it parked.
  slot_.fetch_add(1);
  if (ticker.is_parked_.load()) [[unlikely]]
    ticker.unpark();
}

EpochTicker::Running::~Running() {
  slot_.fetch_add(1, std::memory_order_release);
}

bool EpochTicker::is_quiet(std::uint64_t& sum_seen) const {
  std::uint64_t sum = 0;
  bool is_any_running = false;
  for (const Slot& slot : slots_) {
    const std::uint64_t stretches = slot.stretches.load();
    sum += stretches;
    is_any_running = is_any_running || stretches % 2 == 1;
  }
  const bool is_same = sum == sum_seen;
  sum_seen = sum;
  return is_same && !is_any_running;
}

void EpochTicker::run(const std::stop_token& stop, const std::function<void()>& tick) {
  std::uint64_t sum_seen = 0;
  int quiet_ticks = 0;
  while (!stop.stop_requested()) {
    std::this_thread::sleep_for(kTick);
    tick();
    quiet_ticks = is_quiet(sum_seen) ? quiet_ticks + 1 : 0;
    if (quiet_ticks < kQuietTicksMax) continue;
    quiet_ticks = 0;
    is_parked_.store(true);
    if (is_quiet(sum_seen)) park(stop);
    is_parked_.store(false);
  }
}

void EpochTicker::park(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  unparked_.wait(lock, stop, [this] { return !is_parked_.load(); });
}

void EpochTicker::unpark() {
  {
    const std::lock_guard lock(mutex_);
    is_parked_.store(false);
  }
  unparked_.notify_one();
}

}  // namespace funcd::engine
