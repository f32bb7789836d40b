#include "registry/smoke_lane.h"

#include <utility>

namespace funcd::registry {

SmokeLane::SmokeLane(AskSmoke smoke, std::function<void()> on_done)
    : smoke_(std::move(smoke)), on_done_(std::move(on_done)) {}

void SmokeLane::add(std::shared_ptr<const Revision> revision) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back({std::move(revision), {}});
  changed_.notify_one();
}

void SmokeLane::drop(const Revision& revision) {
  const std::lock_guard lock(mutex_);
  const auto is_it = [&revision](const auto& each) { return each.revision.get() == &revision; };
  waiting_.remove_if(is_it);
  std::erase_if(done_, is_it);
  for (Trial& trial : running_) {
    if (is_it(trial)) trial.stop.request_stop();
  }
}

std::vector<SmokeLane::Done> SmokeLane::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

void SmokeLane::run(const std::stop_token& stop) {
  for (auto trial = next(stop); !stop.stop_requested(); trial = next(stop)) {
    auto answer = ask(*trial, stop);
    settle(trial, std::move(answer));
  }
}

Result<> SmokeLane::ask(Trial& trial, const std::stop_token& stop) const {
  const std::stop_callback end_with_all(stop, [&trial] { trial.stop.request_stop(); });
  return smoke_(*trial.revision, trial.stop.get_token());
}

SmokeLane::Trials::iterator SmokeLane::next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [this] { return !waiting_.empty(); });
  if (stop.stop_requested()) return running_.end();
  running_.splice(running_.end(), waiting_, waiting_.begin());
  return std::prev(running_.end());
}

void SmokeLane::settle(Trials::iterator trial, Result<> answer) {
  {
    const std::lock_guard lock(mutex_);
    const bool is_dropped = trial->stop.stop_requested();
    if (!is_dropped) done_.push_back({std::move(trial->revision), std::move(answer)});
    running_.erase(trial);
    if (is_dropped) return;
  }
  on_done_();
}

}  // namespace funcd::registry
