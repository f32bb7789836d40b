#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "engine/program.h"

namespace funcd::registry {

// What of a program is known while it is not in memory.
struct ProgramFacts {
  engine::ProgramKind kind = engine::ProgramKind::module;
  engine::Tier tier = engine::Tier::optimized;
  engine::Asked asked_before;
  std::uint64_t memory_bytes_min = 0;

  [[nodiscard]] static ProgramFacts of(const engine::Program& program);
};

// Which code of the cache it is made of.
struct CodeName {
  std::string digest;  // of the artifact, or of its snapshot
  engine::FileAccess files = engine::FileAccess::none;
  bool operator==(const CodeName&) const = default;
};

// A revision's program, which is in memory only while the function is used: what is not there is
// loaded from the cache of compiled code when it is asked for. Who runs it pins it, so that it
// stays meanwhile. Thread-safe.
class LazyProgram {
 public:
  enum class Stay : std::uint8_t {
    for_good,      // its code lies in no cache
    while_in_use,  // it may go, and comes back
  };
  LazyProgram(CodeName code, std::shared_ptr<const engine::Program> program, Stay stay);
  // One that is not in memory yet.
  LazyProgram(CodeName code, const ProgramFacts& facts);
  // One that stays, of no cache.
  explicit LazyProgram(std::shared_ptr<const engine::Program> program)
      : LazyProgram({}, std::move(program), Stay::for_good) {}
  LazyProgram(const LazyProgram&) = delete;
  LazyProgram& operator=(const LazyProgram&) = delete;

  [[nodiscard]] const ProgramFacts& facts() const { return facts_; }
  [[nodiscard]] const CodeName& code() const { return code_; }

  // Holds the program in memory. Must not outlive the LazyProgram.
  class Pin {
   public:
    Pin() = default;
    Pin(Pin&& other) noexcept { *this = std::move(other); }
    Pin& operator=(Pin&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(program_, other.program_);
      return *this;
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() {
      if (owner_ != nullptr) owner_->pins_.fetch_sub(1);
    }
    explicit operator bool() const { return program_ != nullptr; }
    const engine::Program& operator*() const { return *program_; }
    const engine::Program* operator->() const { return program_; }

   private:
    friend class LazyProgram;
    Pin(const LazyProgram& owner, const engine::Program& program)
        : owner_(&owner), program_(&program) {}
    const LazyProgram* owner_ = nullptr;
    const engine::Program* program_ = nullptr;
  };
  // Nothing when it is not in memory. Counts as a use at that time.
  [[nodiscard]] Pin pin(TimePoint now = Clock::now()) const;

  [[nodiscard]] bool is_loaded() const { return loaded_.load() != nullptr; }
  // The same program for another revision; null when it is not in memory.
  [[nodiscard]] std::shared_ptr<const engine::Program> share() const;
  // When it was last used, at most kUseStep before the truth.
  [[nodiscard]] TimePoint used_at() const;
  static constexpr std::chrono::milliseconds kUseStep{50};

  // Brings it into memory, unless it is there.
  void load(std::shared_ptr<const engine::Program> program);
  // Drops it when it may go, nobody has it pinned, and it was not used after that time.
  bool unload_unused_since(TimePoint time);
  [[nodiscard]] bool may_go() const { return stay_ == Stay::while_in_use; }

 private:
  const CodeName code_;
  const ProgramFacts facts_;
  const Stay stay_;
  mutable std::atomic<std::uint32_t> pins_{0};
  mutable std::atomic<std::int64_t> used_at_ms_;  // of Clock
  std::atomic<const engine::Program*> loaded_;    // that of program_
  mutable std::mutex mutex_;                      // of program_
  std::shared_ptr<const engine::Program> program_;
};

}  // namespace funcd::registry
