#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stop_token>

namespace funcd::engine {

// The clock that interrupts guests: ticks each millisecond while any guest runs, and sleeps while
// none does, so that an idle server is idle. One thread runs it; any thread may run guests.
class EpochTicker {
 public:
  // Ticks by calling `tick` until stopped.
  void run(const std::stop_token& stop, const std::function<void()>& tick);

  // Around each stretch of guest code.
  class Running {
   public:
    explicit Running(EpochTicker& ticker);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    std::atomic<std::uint64_t>& slot_;
  };

 private:
  // Threads that run guests at once share slots beyond this many; it costs them time, not truth.
  static constexpr std::size_t kSlots = 64;

  // Odd while a guest runs on the thread; changes whenever one did. Threads that share a slot make
  // it look idle in between at worst, until their next stretch.
  struct alignas(64) Slot {
    std::atomic<std::uint64_t> stretches{0};
  };

  [[nodiscard]] static std::size_t slot_of_this_thread();
  // Whether no guest has run since the sums were last taken.
  [[nodiscard]] bool is_quiet(std::uint64_t& sum_seen) const;
  void park(const std::stop_token& stop);
  void unpark();

  std::array<Slot, kSlots> slots_;
  std::atomic<bool> is_parked_{false};
  std::mutex mutex_;
  std::condition_variable_any unparked_;
};

}  // namespace funcd::engine
