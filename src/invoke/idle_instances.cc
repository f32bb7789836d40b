#include "invoke/idle_instances.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace funcd::invoke {

IdleInstances::IdleInstances(TimerWheel& timers, std::size_t count_max)
    : count_max_(count_max),
      timer_(timers, this, [](void* self) { static_cast<IdleInstances*>(self)->drop_old(); }) {}

IdleInstances::Instance IdleInstances::take(const registry::Revision& revision) {
  const auto found = std::find_if(idle_.rbegin(), idle_.rend(), [&revision](const Idle& idle) {
    return idle.revision.get() == &revision;
  });
  if (found == idle_.rend()) return nullptr;
  Instance instance = std::move(found->instance);
  idle_.erase(std::next(found).base());
  on_change();
  return instance;
}

void IdleInstances::keep(std::shared_ptr<const registry::Revision> revision,
                         registry::LazyProgram::Pin program, Instance instance) {
  if (count_max_ == 0) return;
  if (idle_.size() == count_max_) idle_.pop_front();
  const TimePoint now = Clock::now();
  idle_.push_back({now, std::move(revision), std::move(program), std::move(instance)});
  if (!timer_.is_armed()) timer_.arm(now + kIdleMax);
  on_change();
}

void IdleInstances::drop_stale(const registry::Catalog& catalog) {
  std::erase_if(idle_, [&catalog](const Idle& idle) { return !catalog.has(*idle.revision); });
  on_change();
}

void IdleInstances::close() {
  count_max_ = 0;
  idle_.clear();
  on_change();
}

void IdleInstances::drop_old() {
  const TimePoint now = Clock::now();
  std::erase_if(idle_, [now](const Idle& idle) { return idle.since + kIdleMax <= now; });
  if (!idle_.empty()) timer_.arm(idle_.front().since + kIdleMax);
  on_change();
}

void IdleInstances::on_change() {
  size_.store(idle_.size(), std::memory_order_relaxed);
}

}  // namespace funcd::invoke
