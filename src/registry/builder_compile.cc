#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "registry/builder.h"

namespace funcd::registry {

// The function goes on once a lane has done its part; until then nothing changes for it.
void Registry::Builder::await_elsewhere(Record& record, const RevisionBuilder::Outcome& outcome) {
  end_trial(record.candidate->name);
  awaiting_.insert(record.candidate->name);
  record.dependencies = outcome.dependencies;
  record.is_transient = false;
}

void Registry::Builder::await_code(Record& record, const RevisionBuilder::Outcome& outcome) {
  await_elsewhere(record, outcome);
  abandon_snapshot(record);
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

// What is under way goes on, where it is the same once more.
void Registry::Builder::await_snapshot(Record& record, const RevisionBuilder::Outcome& outcome) {
  await_elsewhere(record, outcome);
  if (record.awaited_snapshot == outcome.key) return;
  record.awaited_snapshot = outcome.key;
  snapshot_lane_.add({.name = record.candidate->name,
                      .key = outcome.key,
                      .path = record.candidate->wasm.path,
                      .artifact_bytes = outcome.artifact_bytes,
                      .artifact_digest = outcome.digest,
                      .function = record.function->name,
                      .manifest = *record.sidecar->manifest,
                      .is_reactor = outcome.proof.artifact.is_reactor});
}

void Registry::Builder::abandon_snapshot(Record& record) {
  if (!record.awaited_snapshot.empty()) snapshot_lane_.drop(record.candidate->name);
  record.awaited_snapshot.clear();
}

void Registry::Builder::end_snapshot(Record& record) {
  abandon_snapshot(record);
  record.snapshot.reset();
}

void Registry::Builder::take_snapshots() {
  for (SnapshotLane::Done& done : snapshot_lane_.take()) {
    Record& record = records_.at(done.name);
    if (record.awaited_snapshot != done.snapshot.key) continue;
    record.awaited_snapshot.clear();
    // What has come meanwhile is in the queue, or waits for another.
    const bool is_newest = record.stage == Record::Stage::idle && !deferred_.contains(done.name);
    if (done.is_found) {
      record.snapshot = std::move(done.snapshot);
      if (is_newest) enqueue(record, Record::Stage::check);
    } else if (is_newest) {
      record.is_transient = true;
      reject(record, fmt::format("{}.wasm: {}", done.name, done.snapshot.made.error().message));
    }
  }
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

// Once nothing is in the queue that would say what it waits for.
void Registry::Builder::drop_unwanted_code() {
  if (!std::exchange(is_code_superseded_, false)) return;
  std::set<std::string_view> wanted;
  for (const auto& [name, record] : records_) {
    if (!record.awaited_digest.empty()) wanted.insert(record.awaited_digest);
    if (record.live && record.live->program->facts().tier == engine::Tier::baseline) {
      wanted.insert(record.live->digest);
    }
  }
  baseline_lane_.keep_only(wanted);
  optimized_lane_.keep_only(wanted);
}

void Registry::Builder::forget_settled() {
  std::erase_if(awaiting_,
                [this](const std::string& name) { return !records_.at(name).is_awaiting(); });
}

void Registry::Builder::wake() const {
  const std::uint64_t one = 1;
  CHECK(::write(wake_.get(), &one, sizeof one) == static_cast<ssize_t>(sizeof one));
}

}  // namespace funcd::registry
