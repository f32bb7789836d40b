#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>

namespace funcd::files {

// Work that waits for a disk, for threads that may. From any thread.
class JobQueue {
 public:
  static constexpr std::size_t kJobsMax = 4'096;

  // False, and it is not done, when that many wait already.
  [[nodiscard]] bool post(std::function<void()> job);
  // Does jobs on the thread that calls it, until stopped; what waits then is dropped.
  void run(const std::stop_token& stop);

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::function<void()>> jobs_;
};

}  // namespace funcd::files
