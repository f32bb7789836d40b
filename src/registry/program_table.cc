#include "registry/program_table.h"

#include <algorithm>

namespace funcd::registry {
namespace {

// The dead are removed whenever the living may have doubled.
constexpr std::size_t kSweptMin = 64;
// What make_room() drops at once, so that sorting is not for one alone.
constexpr std::size_t kRoom = 64;

}  // namespace

std::shared_ptr<const engine::Program> ProgramTable::find(const CodeName& code) const {
  const std::lock_guard lock(mutex_);
  const auto found = shared_.find({code.digest, code.files});
  return found == shared_.end() ? nullptr : found->second.lock();
}

void ProgramTable::add(const CodeName& code,
                       const std::shared_ptr<const engine::Program>& program) {
  const std::lock_guard lock(mutex_);
  shared_[{code.digest, code.files}] = program;
  if (shared_.size() < 2 * std::max(shared_swept_, kSweptMin)) return;
  std::erase_if(shared_, [](const auto& entry) { return entry.second.expired(); });
  shared_swept_ = shared_.size();
}

void ProgramTable::watch(const std::shared_ptr<LazyProgram>& program) {
  const std::lock_guard lock(mutex_);
  watched_.push_back(program);
  if (watched_.size() < 2 * std::max(watched_swept_, kSweptMin)) return;
  std::erase_if(watched_, [](const auto& watched) { return watched.expired(); });
  watched_swept_ = watched_.size();
}

std::vector<std::shared_ptr<LazyProgram>> ProgramTable::loaded() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<LazyProgram>> found;
  for (const auto& watched : watched_) {
    auto program = watched.lock();
    if (program != nullptr && program->may_go() && program->is_loaded()) {
      found.push_back(std::move(program));
    }
  }
  return found;
}

std::size_t ProgramTable::unload_unused_since(TimePoint time, const CanComeBack& can_come_back) {
  std::size_t dropped = 0;
  for (const auto& program : loaded()) {
    if (program->used_at() > time || !can_come_back(program->code())) continue;
    if (program->unload_unused_since(time)) ++dropped;
  }
  unloads_.fetch_add(dropped, std::memory_order_relaxed);
  return dropped;
}

void ProgramTable::make_room(const CanComeBack& can_come_back) {
  auto programs = loaded();
  std::sort(programs.begin(), programs.end(),
            [](const auto& one, const auto& other) { return one->used_at() < other->used_at(); });
  std::size_t dropped = 0;
  for (const auto& program : programs) {
    if (dropped == kRoom) return;
    if (!can_come_back(program->code()) || !program->unload_unused_since(Clock::now())) continue;
    unloads_.fetch_add(1, std::memory_order_relaxed);
    ++dropped;
  }
}

ProgramTable::Counts ProgramTable::counts() const {
  return {.loads = loads_.load(std::memory_order_relaxed),
          .unloads = unloads_.load(std::memory_order_relaxed)};
}

}  // namespace funcd::registry
