#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>

#include "base/clock.h"
#include "base/timer_wheel.h"
#include "engine/http_instance.h"
#include "registry/catalog.h"
#include "registry/lazy_program.h"
#include "registry/revision.h"

namespace funcd::invoke {

// Instances of components that wait for another request to their revision: those of one worker.
// Each takes a slot of the engine's pool and all of its memory, so they are few, and wait for
// seconds. Everything is for the worker's thread but size().
class IdleInstances {
 public:
  using Instance = std::unique_ptr<engine::HttpInstance>;
  static constexpr std::chrono::seconds kIdleMax{10};

  // One more than `count_max` takes the place of that which has waited longest.
  IdleInstances(TimerWheel& timers, std::size_t count_max);

  // That of this revision which has waited least; null when none does.
  [[nodiscard]] Instance take(const registry::Revision& revision);
  // `program` is the revision's, and stays in memory meanwhile.
  void keep(std::shared_ptr<const registry::Revision> revision, registry::LazyProgram::Pin program,
            Instance instance);
  // Drops those whose revision the catalog does not have.
  void drop_stale(const registry::Catalog& catalog);
  // Drops all, and keeps none from now on.
  void close();

  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  // In the order of what goes last.
  struct Idle {
    Idle(IdleInstances& owner, std::shared_ptr<const registry::Revision> revision,
         registry::LazyProgram::Pin program, Instance instance);

    IdleInstances& owner;
    std::shared_ptr<const registry::Revision> revision;
    registry::LazyProgram::Pin program;
    Instance instance;
    Timer timer;
  };
  void count();

  TimerWheel& timers_;
  std::list<Idle> idle_;  // oldest first
  std::size_t count_max_;
  std::atomic<std::size_t> size_{0};
};

}  // namespace funcd::invoke
