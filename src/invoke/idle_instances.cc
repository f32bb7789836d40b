#include "invoke/idle_instances.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace funcd::invoke {

IdleInstances::Idle::Idle(IdleInstances& owner_in,
                          std::shared_ptr<const registry::Revision> revision_in,
                          registry::LazyProgram::Pin program_in, Instance instance_in)
    : owner(owner_in),
      revision(std::move(revision_in)),
      program(std::move(program_in)),
      instance(std::move(instance_in)),
      timer(owner.timers_, this, [](void* idle) {
        IdleInstances& all = static_cast<Idle*>(idle)->owner;
        all.idle_.remove_if([idle](const Idle& each) { return &each == idle; });
        all.count();
      }) {
  timer.arm(Clock::now() + kIdleMax);
}

IdleInstances::IdleInstances(TimerWheel& timers, std::size_t count_max)
    : timers_(timers), count_max_(count_max) {}

IdleInstances::Instance IdleInstances::take(const registry::Revision& revision) {
  const auto found = std::find_if(idle_.rbegin(), idle_.rend(), [&revision](const Idle& idle) {
    return idle.revision.get() == &revision;
  });
  if (found == idle_.rend()) return nullptr;
  Instance instance = std::move(found->instance);
  idle_.erase(std::next(found).base());
  count();
  return instance;
}

void IdleInstances::keep(std::shared_ptr<const registry::Revision> revision,
                         registry::LazyProgram::Pin program, Instance instance) {
  if (count_max_ == 0) return;
  if (idle_.size() == count_max_) idle_.pop_front();
  idle_.emplace_back(*this, std::move(revision), std::move(program), std::move(instance));
  count();
}

void IdleInstances::drop_stale(const registry::Catalog& catalog) {
  idle_.remove_if([&catalog](const Idle& idle) { return !catalog.has(*idle.revision); });
  count();
}

void IdleInstances::close() {
  count_max_ = 0;
  idle_.clear();
  count();
}

void IdleInstances::count() {
  size_.store(idle_.size(), std::memory_order_relaxed);
}

}  // namespace funcd::invoke
