#include "registry/program_loader.h"

#include "base/log.h"

namespace funcd::registry {

std::shared_ptr<const engine::Program> ProgramLoader::load_cached(const std::string& digest,
                                                                  engine::FileAccess files) {
  if (cache_ == nullptr) return nullptr;
  const auto path = cache_->find(storage::CodeCache::key_of(digest, engine_.fingerprint()));
  if (!path) return nullptr;
  // What does not load now, evicted meanwhile or of an engine that has the same name, is compiled.
  auto program = engine_.load_file(*path, files);
  if (!program) return nullptr;
  return std::make_shared<const engine::Program>(std::move(*program));
}

Result<std::shared_ptr<const engine::Program>> ProgramLoader::compile(
    std::span<const std::uint8_t> artifact, const std::string& digest, engine::FileAccess files) {
  const auto code = TRY(engine_.compile(artifact));
  return take_code(code, digest, files, engine::Tier::optimized);
}

Result<std::shared_ptr<const engine::Program>> ProgramLoader::compile_baseline(
    std::span<const std::uint8_t> artifact, engine::FileAccess files) const {
  const auto code = TRY(engine_.compile(artifact, engine::Tier::baseline));
  return std::make_shared<const engine::Program>(
      TRY(engine_.load(code, files, engine::Tier::baseline)));
}

Result<std::shared_ptr<const engine::Program>> ProgramLoader::take_code(
    std::span<const std::uint8_t> code, const std::string& digest, engine::FileAccess files,
    engine::Tier tier) {
  if (tier == engine::Tier::optimized) {
    if (const auto path = keep(digest, code)) {
      if (auto program = engine_.load_file(*path, files)) {
        return std::make_shared<const engine::Program>(std::move(*program));
      }
    }
  }
  return std::make_shared<const engine::Program>(TRY(engine_.load(code, files, tier)));
}

std::optional<std::string> ProgramLoader::keep(const std::string& digest,
                                               std::span<const std::uint8_t> code) {
  if (cache_ == nullptr) return std::nullopt;
  auto path = cache_->put(storage::CodeCache::key_of(digest, engine_.fingerprint()), code);
  if (path) {
    has_warned_ = false;
    return std::move(*path);
  }
  if (!has_warned_) {
    log::warn("cache.unavailable",
              {{"error", path.error().message},
               {"consequence", "functions are served, and compiled again at the next start"}});
  }
  has_warned_ = true;
  return std::nullopt;
}

}  // namespace funcd::registry
