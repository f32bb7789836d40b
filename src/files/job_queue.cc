#include "files/job_queue.h"

#include <utility>

namespace funcd::files {

bool JobQueue::post(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  if (jobs_.size() >= kJobsMax) return false;
  jobs_.push_back(std::move(job));
  changed_.notify_one();
  return true;
}

void JobQueue::run(const std::stop_token& stop) {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return !jobs_.empty(); })) return;
      if (stop.stop_requested()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace funcd::files
