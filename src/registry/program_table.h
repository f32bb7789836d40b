#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "registry/lazy_program.h"

namespace funcd::registry {

// Which programs are in memory: functions of one artifact share one, and what is not used goes.
// Thread-safe.
class ProgramTable {
 public:
  // The program of that code that others have in memory; null when nobody has.
  [[nodiscard]] std::shared_ptr<const engine::Program> find(const CodeName& code) const;
  void add(const CodeName& code, const std::shared_ptr<const engine::Program>& program);

  // From now on it is looked after, as long as it lives.
  void watch(const std::shared_ptr<LazyProgram>& program);
  // Drops those that were not used after that time and can come back; returns how many.
  using CanComeBack = std::function<bool(const CodeName& code)>;
  std::size_t unload_unused_since(TimePoint time, const CanComeBack& can_come_back);
  // Drops some of those that were used least recently.
  void make_room(const CanComeBack& can_come_back);

  struct Counts {
    std::uint64_t loads = 0;    // from the cache, first ones too
    std::uint64_t unloads = 0;  // for want of use, or of room
  };
  [[nodiscard]] Counts counts() const;
  void count_load() { loads_.fetch_add(1, std::memory_order_relaxed); }

 private:
  [[nodiscard]] std::vector<std::shared_ptr<LazyProgram>> loaded();

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, engine::FileAccess>, std::weak_ptr<const engine::Program>>
      shared_;
  std::size_t shared_swept_ = 0;  // how many were left when the dead were removed last
  std::vector<std::weak_ptr<LazyProgram>> watched_;
  std::size_t watched_swept_ = 0;
  std::atomic<std::uint64_t> loads_{0};
  std::atomic<std::uint64_t> unloads_{0};
};

}  // namespace funcd::registry
