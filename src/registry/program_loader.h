#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "engine/engine.h"
#include "registry/program_table.h"
#include "storage/code_cache.h"

namespace funcd::registry {

// Makes programs of artifacts, through the cache of compiled code where there is one. A cache that
// fails costs time, never a function. Thread-safe.
class ProgramLoader {
 public:
  // `cache` may be null. Both outlive this. `stay`: of programs whose code can come back.
  ProgramLoader(const engine::Engine& engine, storage::CodeCache* cache, LazyProgram::Stay stay)
      : engine_(engine), cache_(cache), stay_(stay) {}

  [[nodiscard]] const engine::Engine& engine() const { return engine_; }
  [[nodiscard]] ProgramTable& table() { return table_; }
  [[nodiscard]] const ProgramTable& table() const { return table_; }

  // From compiled code that is at hand, in memory or in the cache; nothing when there is none that
  // loads.
  [[nodiscard]] std::shared_ptr<const engine::Program> load_cached(const CodeName& code);
  // Whether the cache has that code, as far as a name tells.
  [[nodiscard]] bool has_cached(const std::string& digest) const;
  // Compiles to optimized code, and keeps it. Takes milliseconds to seconds.
  [[nodiscard]] Result<std::shared_ptr<const engine::Program>> compile(
      std::span<const std::uint8_t> artifact, const CodeName& code);
  // Compiles to baseline code, which is kept nowhere. Takes milliseconds.
  [[nodiscard]] Result<std::shared_ptr<const engine::Program>> compile_baseline(
      std::span<const std::uint8_t> artifact, engine::FileAccess files);
  // Makes a program of code that was compiled elsewhere, and keeps optimized code.
  [[nodiscard]] Result<std::shared_ptr<const engine::Program>> take_code(
      std::span<const std::uint8_t> bytes, const CodeName& code, engine::Tier tier);

  // The program of a revision, which may go from memory where its code can come back.
  [[nodiscard]] std::shared_ptr<LazyProgram> lazy(const CodeName& code,
                                                  std::shared_ptr<const engine::Program> program);
  // The same of one that is not in memory yet.
  [[nodiscard]] std::shared_ptr<LazyProgram> lazy(const CodeName& code, const ProgramFacts& facts);
  // Returns how many have gone.
  std::size_t unload_unused_since(TimePoint time);

 private:
  [[nodiscard]] std::optional<std::string> keep(const std::string& digest,
                                                std::span<const std::uint8_t> code);
  [[nodiscard]] std::string key_of(const std::string& digest) const;
  // Programs in memory are limited by what the kernel maps.
  void make_room();

  const engine::Engine& engine_;
  storage::CodeCache* cache_;
  const LazyProgram::Stay stay_;
  std::atomic<bool> has_warned_{false};
  ProgramTable table_;
};

}  // namespace funcd::registry
