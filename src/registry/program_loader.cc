#include "registry/program_loader.h"

#include <utility>

#include "base/log.h"

namespace funcd::registry {

std::shared_ptr<const engine::Program> ProgramLoader::load_cached(const CodeName& code) {
  if (auto program = table_.find(code)) return program;
  if (cache_ == nullptr) return nullptr;
  const auto path = cache_->find(key_of(code.digest));
  if (!path) return nullptr;
  make_room();
  // What does not load now, evicted meanwhile or of an engine that has the same name, is compiled.
  auto loaded = engine_.load_file(*path, code.files);
  if (!loaded) return nullptr;
  auto program = std::make_shared<const engine::Program>(std::move(*loaded));
  table_.count_load();
  table_.add(code, program);
  return program;
}

bool ProgramLoader::has_cached(const std::string& digest) const {
  return cache_ != nullptr && cache_->has(key_of(digest));
}

Result<std::shared_ptr<const engine::Program>> ProgramLoader::compile(
    std::span<const std::uint8_t> artifact, const CodeName& code) {
  const auto bytes = TRY(engine_.compile(artifact));
  return take_code(bytes, code, engine::Tier::optimized);
}

Result<std::shared_ptr<const engine::Program>> ProgramLoader::compile_baseline(
    std::span<const std::uint8_t> artifact, engine::FileAccess files) {
  const auto code = TRY(engine_.compile(artifact, engine::Tier::baseline));
  make_room();
  return std::make_shared<const engine::Program>(
      TRY(engine_.load(code, files, engine::Tier::baseline)));
}

Result<std::shared_ptr<const engine::Program>> ProgramLoader::take_code(
    std::span<const std::uint8_t> bytes, const CodeName& code, engine::Tier tier) {
  make_room();
  if (tier == engine::Tier::optimized) {
    if (const auto path = keep(code.digest, bytes)) {
      if (auto loaded = engine_.load_file(*path, code.files)) {
        auto program = std::make_shared<const engine::Program>(std::move(*loaded));
        table_.add(code, program);
        return program;
      }
    }
  }
  return std::make_shared<const engine::Program>(TRY(engine_.load(bytes, code.files, tier)));
}

std::shared_ptr<LazyProgram> ProgramLoader::lazy(const CodeName& code,
                                                 std::shared_ptr<const engine::Program> program) {
  const bool can_come_back = program->tier() == engine::Tier::optimized && cache_ != nullptr;
  auto lazy = std::make_shared<LazyProgram>(code, std::move(program),
                                            can_come_back ? stay_ : LazyProgram::Stay::for_good);
  if (lazy->may_go()) table_.watch(lazy);
  return lazy;
}

std::shared_ptr<LazyProgram> ProgramLoader::lazy(const CodeName& code, const ProgramFacts& facts) {
  auto lazy = std::make_shared<LazyProgram>(code, facts);
  table_.watch(lazy);
  return lazy;
}

std::size_t ProgramLoader::unload_unused_since(TimePoint time) {
  return table_.unload_unused_since(
      time, [this](const CodeName& code) { return has_cached(code.digest); });
}

void ProgramLoader::make_room() {
  if (engine_.programs_loaded() < engine_.options().programs_max) return;
  table_.make_room([this](const CodeName& code) { return has_cached(code.digest); });
}

std::string ProgramLoader::key_of(const std::string& digest) const {
  return storage::CodeCache::key_of(digest, engine_.fingerprint());
}

std::optional<std::string> ProgramLoader::keep(const std::string& digest,
                                               std::span<const std::uint8_t> code) {
  if (cache_ == nullptr) return std::nullopt;
  auto path = cache_->put(key_of(digest), code);
  if (path) {
    has_warned_ = false;
    return std::move(*path);
  }
  if (!has_warned_.exchange(true)) {
    log::warn("cache.unavailable",
              {{"error", path.error().message},
               {"consequence", "functions are served, and compiled again at the next start"}});
  }
  return std::nullopt;
}

}  // namespace funcd::registry
