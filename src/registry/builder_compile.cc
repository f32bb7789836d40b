#include <unistd.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "registry/builder.h"

namespace funcd::registry {

// The function goes on once a lane has compiled its artifact; until then nothing changes for it.
void Registry::Builder::await_code(Record& record, const RevisionBuilder::Outcome& outcome) {
  end_trial(record.candidate->name);
  record.dependencies = outcome.dependencies;
  record.is_transient = false;
  record.awaited_digest = outcome.digest;
  record.awaited_key = outcome.key;
  // What is too large for the baseline compiler on this thread is not for one on another; what it
  // has refused is for the optimizing one only.
  record.awaited_tier = outcome.is_refused_by_baseline || options_.baseline == Baseline::never
                            ? engine::Tier::optimized
                            : engine::Tier::baseline;
  lane(record.awaited_tier)
      .add({outcome.digest, {record.candidate->wasm.path}, outcome.artifact_bytes});
}

void Registry::Builder::take_compiled() {
  for (CompileLane* lane : {&baseline_lane_, &optimized_lane_}) {
    for (const CompileLane::Done& done : lane->take()) settle(done, lane->tier());
  }
}

void Registry::Builder::settle(const CompileLane::Done& done, engine::Tier tier) {
  for (auto& [name, record] : records_) {
    if (!record.candidate) continue;
    if (record.awaited_digest == done.digest && record.awaited_tier == tier) {
      settle_awaiting(record, done, tier);
    } else if (tier == engine::Tier::optimized && record.live &&
               record.live->digest == done.digest &&
               record.live->program->facts().tier == engine::Tier::baseline) {
      optimize(record, done);
    }
  }
}

void Registry::Builder::settle_awaiting(Record& record, const CompileLane::Done& done,
                                        engine::Tier tier) {
  record.awaited_digest.clear();
  if (done.code) {
    record.stage = Record::Stage::check;
    build(record, RevisionBuilder::Code{done.digest, *done.code, tier});
    return;
  }
  record.is_transient = !done.is_found;
  if (tier == engine::Tier::baseline && done.is_found) {
    record.awaited_digest = done.digest;
    record.awaited_tier = engine::Tier::optimized;
    optimized_lane_.add(
        {done.digest, {record.candidate->wasm.path}, record.candidate->wasm.stamp.bytes});
    return;
  }
  if (done.is_found) record.failed_key = record.awaited_key;
  reject(record, fmt::format("{}.wasm: {}", record.candidate->name, done.code.error().message));
}

// Better code takes the place of what runs. That it cannot be had harms nobody.
void Registry::Builder::optimize(Record& record, const CompileLane::Done& done) {
  const std::string& name = record.candidate->name;
  auto revision = done.code ? revisions_.with_code(
                                  *record.live, {done.digest, *done.code, engine::Tier::optimized})
                            : Result<std::shared_ptr<const Revision>>(fail(done.code.error()));
  if (!revision) {
    log::warn("function.unoptimized", {{"function", name},
                                       {"error", revision.error().message},
                                       {"consequence", "its baseline code stays live"}});
    return;
  }
  record.live = std::move(*revision);
  record.proof.code = record.live->program->code();
  record.proof.facts = record.live->program->facts();
  is_proof_new_ = true;
  record.status.code = name_of(engine::Tier::optimized);
  board_.show(record.status);
  is_dirty_ = true;
  log::info("function.optimized", {{"function", name}});
}

bool Registry::Builder::is_awaiting_code() const {
  return std::any_of(records_.begin(), records_.end(),
                     [](const auto& entry) { return !entry.second.awaited_digest.empty(); });
}

void Registry::Builder::wake() const {
  const std::uint64_t one = 1;
  CHECK(::write(wake_.get(), &one, sizeof one) == static_cast<ssize_t>(sizeof one));
}

}  // namespace funcd::registry
