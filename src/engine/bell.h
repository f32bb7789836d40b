#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "base/clock.h"
#include "engine/task.h"

namespace funcd::engine {

// Where a thread waits for a task's waker or for a time. Rung from any thread; outlives the task.
class Bell {
 public:
  [[nodiscard]] Waker waker() { return {&Bell::ring, this, 0}; }

  // Until it rings, has rung since the last wait, or the time has come.
  void wait_until(TimePoint at) {
    std::unique_lock lock(mutex_);
    const auto is_rung = [this] { return is_rung_; };
    if (at == TimePoint::max()) {
      rung_.wait(lock, is_rung);  // a clock at its end cannot be converted
    } else {
      rung_.wait_until(lock, at, is_rung);
    }
    is_rung_ = false;
  }

 private:
  static void ring(void* context, std::uint64_t /*key*/) {
    auto& bell = *static_cast<Bell*>(context);
    const std::lock_guard lock(bell.mutex_);
    bell.is_rung_ = true;
    bell.rung_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable rung_;
  bool is_rung_ = false;
};

}  // namespace funcd::engine
