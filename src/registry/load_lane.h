#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "registry/lazy_program.h"
#include "registry/program_loader.h"

namespace funcd::registry {

// Programs that requests wait for, loaded from the cache one after the other by a thread of the
// lane's own. What the cache has lost is for the builder, who compiles it again and settles it.
// There are never more waits than requests, nor more programs than functions.
class LoadLane {
 public:
  // Called once, on the lane's or the builder's thread: the program is in memory, or why it cannot
  // be. Only posts. Dropped without a call when the lane ends.
  using OnLoaded = std::function<void(Result<>)>;

  // `loader` outlives this. `on_lost` is called on the lane's thread when there is something to
  // take.
  LoadLane(ProgramLoader& loader, std::function<void()> on_lost)
      : loader_(loader), on_lost_(std::move(on_lost)) {}

  // From any thread.
  void add(const std::shared_ptr<LazyProgram>& program, OnLoaded on_loaded);
  // The lane's thread, until stopped.
  void run(const std::stop_token& stop);

  // The builder's: programs whose code the cache does not have any more, and what came of one.
  [[nodiscard]] std::vector<std::shared_ptr<LazyProgram>> take_lost();
  void settle(const LazyProgram& program, const Result<>& outcome);

 private:
  [[nodiscard]] std::shared_ptr<LazyProgram> next(const std::stop_token& stop);

  ProgramLoader& loader_;
  const std::function<void()> on_lost_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::shared_ptr<LazyProgram>> queue_;
  std::map<const LazyProgram*, std::vector<OnLoaded>> waiting_;
  std::vector<std::shared_ptr<LazyProgram>> lost_;
};

}  // namespace funcd::registry
