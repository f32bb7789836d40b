#include "registry/lazy_program.h"

#include <utility>

namespace funcd::registry {
namespace {

std::int64_t in_ms(TimePoint time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

ProgramFacts ProgramFacts::of(const engine::Program& program) {
  return {.kind = program.kind(),
          .tier = program.tier(),
          .asked_before = program.asked_before(),
          .memory_bytes_min = program.memory_bytes_min()};
}

LazyProgram::LazyProgram(CodeName code, std::shared_ptr<const engine::Program> program, Stay stay)
    : code_(std::move(code)),
      facts_(ProgramFacts::of(*program)),
      stay_(stay),
      used_at_ms_(in_ms(Clock::now())),
      loaded_(program.get()),
      program_(std::move(program)) {}

LazyProgram::LazyProgram(CodeName code, const ProgramFacts& facts)
    : code_(std::move(code)),
      facts_(facts),
      stay_(Stay::while_in_use),
      used_at_ms_(in_ms(Clock::now())),
      loaded_(nullptr) {}

// The count goes up before the pointer is read, and unload_unused_since() takes the pointer away
// before it reads the count: one of the two sees the other. Both are sequentially consistent.
LazyProgram::Pin LazyProgram::pin(TimePoint now) const {
  pins_.fetch_add(1);
  const engine::Program* program = loaded_.load();
  if (program == nullptr) {
    pins_.fetch_sub(1);
    return {};
  }
  // Written seldom, so that workers do not take the line from each other for it.
  const std::int64_t now_ms = in_ms(now);
  if (now_ms - used_at_ms_.load(std::memory_order_relaxed) >= kUseStep.count()) {
    used_at_ms_.store(now_ms, std::memory_order_relaxed);
  }
  return {*this, *program};
}

std::shared_ptr<const engine::Program> LazyProgram::share() const {
  const std::lock_guard lock(mutex_);
  return program_;
}

TimePoint LazyProgram::used_at() const {
  return TimePoint(std::chrono::milliseconds(used_at_ms_.load(std::memory_order_relaxed)));
}

void LazyProgram::load(std::shared_ptr<const engine::Program> program) {
  const std::lock_guard lock(mutex_);
  if (program_ != nullptr) return;
  program_ = std::move(program);
  used_at_ms_.store(in_ms(Clock::now()), std::memory_order_relaxed);
  loaded_.store(program_.get());
}

bool LazyProgram::unload_unused_since(TimePoint time) {
  if (!may_go()) return false;
  std::shared_ptr<const engine::Program> dropped;  // after the lock
  const std::lock_guard lock(mutex_);
  if (program_ == nullptr || used_at() > time) return false;
  loaded_.store(nullptr);
  if (pins_.load() != 0) {
    loaded_.store(program_.get());
    return false;
  }
  dropped = std::move(program_);
  return true;
}

}  // namespace funcd::registry
