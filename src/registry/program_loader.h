#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "engine/engine.h"
#include "storage/code_cache.h"

namespace funcd::registry {

// Makes programs of artifacts, through the cache of compiled code where there is one. A cache that
// fails costs time, never a function.
class ProgramLoader {
 public:
  // `cache` may be null. Both outlive this.
  ProgramLoader(const engine::Engine& engine, storage::CodeCache* cache)
      : engine_(engine), cache_(cache) {}

  [[nodiscard]] const engine::Engine& engine() const { return engine_; }

  // From compiled code that is at hand; nothing when there is none that loads.
  [[nodiscard]] std::shared_ptr<const engine::Program> load_cached(const std::string& digest,
                                                                   engine::FileAccess files);
  // Compiles to optimized code, and keeps it. Takes milliseconds to seconds.
  [[nodiscard]] Result<std::shared_ptr<const engine::Program>> compile(
      std::span<const std::uint8_t> artifact, const std::string& digest, engine::FileAccess files);
  // Compiles to baseline code, which is kept nowhere. Takes milliseconds.
  [[nodiscard]] Result<std::shared_ptr<const engine::Program>> compile_baseline(
      std::span<const std::uint8_t> artifact, engine::FileAccess files) const;
  // Makes a program of code that was compiled elsewhere, and keeps optimized code.
  [[nodiscard]] Result<std::shared_ptr<const engine::Program>> take_code(
      std::span<const std::uint8_t> code, const std::string& digest, engine::FileAccess files,
      engine::Tier tier);

 private:
  [[nodiscard]] std::optional<std::string> keep(const std::string& digest,
                                                std::span<const std::uint8_t> code);

  const engine::Engine& engine_;
  storage::CodeCache* cache_;
  bool has_warned_ = false;
};

}  // namespace funcd::registry
