#include "registry/load_lane.h"

#include <utility>

namespace funcd::registry {

void LoadLane::add(const std::shared_ptr<LazyProgram>& program, OnLoaded on_loaded) {
  {
    const std::lock_guard lock(mutex_);
    const auto [waits, is_first] = waiting_.try_emplace(program.get());
    waits->second.push_back(std::move(on_loaded));
    if (!is_first) return;
    queue_.push_back(program);
  }
  changed_.notify_one();
}

void LoadLane::run(const std::stop_token& stop) {
  while (const auto program = next(stop)) {
    if (!program->is_loaded()) {
      auto loaded = loader_.load_cached(program->code());
      if (loaded == nullptr) {
        {
          const std::lock_guard lock(mutex_);
          lost_.push_back(program);
        }
        on_lost_();
        continue;
      }
      program->load(std::move(loaded));
    }
    settle(*program, {});
  }
}

std::shared_ptr<LazyProgram> LoadLane::next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [this] { return !queue_.empty(); });
  if (stop.stop_requested()) return nullptr;
  auto program = std::move(queue_.front());
  queue_.pop_front();
  return program;
}

std::vector<std::shared_ptr<LazyProgram>> LoadLane::take_lost() {
  const std::lock_guard lock(mutex_);
  return std::exchange(lost_, {});
}

void LoadLane::settle(const LazyProgram& program, const Result<>& outcome) {
  std::vector<OnLoaded> waits;
  {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(&program);
    if (found == waiting_.end()) return;
    waits = std::move(found->second);
    waiting_.erase(found);
  }
  for (const OnLoaded& on_loaded : waits) on_loaded(outcome);
}

}  // namespace funcd::registry
