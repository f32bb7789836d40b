#include "registry/registry.h"

#include <utility>

#include "registry/builder.h"

namespace funcd::registry {

Registry::Registry(const engine::Engine& engine, storage::CodeCache* cache, RegistryOptions options,
                   Publish publish)
    : builder_(std::make_unique<Builder>(engine, cache, std::move(options), std::move(publish))) {}

Registry::~Registry() = default;

Result<> Registry::run(const std::stop_token& stop) {
  return builder_->run(stop);
}

void Registry::run_compiler(engine::Tier tier, const std::stop_token& stop) {
  builder_->lane(tier).run(stop);
}

void Registry::run_snapshots(const std::stop_token& stop) {
  builder_->snapshots().run(stop);
}

void Registry::run_smokes(const std::stop_token& stop) {
  builder_->smokes().run(stop);
}

void Registry::run_loader(const std::stop_token& stop) {
  builder_->load_lane().run(stop);
}

void Registry::load(const Revision& revision, LoadLane::OnLoaded on_loaded) {
  builder_->load_lane().add(revision.program, std::move(on_loaded));
}

Registry::ProgramCounts Registry::program_counts() const {
  return builder_->program_counts();
}

Result<> Registry::build_once() {
  return builder_->build_once();
}

Status Registry::status() const {
  return builder_->board().status();
}

std::shared_ptr<const Catalog> Registry::catalog() const {
  return builder_->board().catalog();
}

bool Registry::is_building(std::string_view path) const {
  return builder_->board().is_building(path);
}

bool Registry::is_first_scan_done() const {
  return builder_->board().is_first_scan_done();
}

bool Registry::is_newest(const Catalog& catalog) const {
  return builder_->board().is_newest(catalog);
}

}  // namespace funcd::registry
