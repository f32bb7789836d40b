#include "registry/builder.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "base/time_text.h"

namespace funcd::registry {
namespace {

// Artifacts above it may take longer to compile than what is ready may wait.
constexpr std::uint64_t kSlowArtifactBytes = 100U << 10;
constexpr std::size_t kDigestTold = 12;

// Of the route that it wants for itself; "" of a canary, and when its sidecar does not tell.
std::string wanted_shape(const Record& record) {
  return record.sidecar->manifest && !record.is_canary() ? record.sidecar->shape : "";
}

}  // namespace

Registry::Builder::Builder(const engine::Engine& engine, storage::CodeCache* cache,
                           RegistryOptions options, Publish publish)
    : options_(std::move(options)),
      publish_(std::move(publish)),
      engine_(engine),
      cache_(cache),
      revisions_(engine, cache, options_.artifact_bytes_max,
                 options_.unload_after.count() > 0 ? LazyProgram::Stay::while_in_use
                                                   : LazyProgram::Stay::for_good),
      source_(options_.folder, options_.timing, options_.watch_mode),
      board_(options_.folder),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      baseline_lane_(engine::Tier::baseline, options_.compile, options_.artifact_bytes_max,
                     [this] { wake(); }),
      optimized_lane_(engine::Tier::optimized, options_.compile, options_.artifact_bytes_max,
                      [this] { wake(); }),
      snapshot_lane_(SnapshotMaker(revisions_.loader(), options_.compile),
                     options_.artifact_bytes_max, [this] { wake(); }),
      smoke_lane_(options_.smoke, [this] { wake(); }),
      load_lane_(revisions_.loader(), [this] { wake(); }) {}

Result<> Registry::Builder::run(const std::stop_token& stop) {
  if (!wake_) return fail("cannot make an event descriptor: raise the limit of open files");
  const std::stop_callback on_stop(stop, [this] { wake(); });
  is_compiling_elsewhere_ = options_.compile != nullptr;
  is_smoking_elsewhere_ = true;
  stop_ = stop;
  TRY(look(Look::first));
  read_proofs();
  while (!stop.stop_requested()) {
    if (source_.is_look_due()) (void)look(Look::again);  // an error is in the status
    take_compiled();
    take_snapshots();
    take_tried();
    take_lost();
    remove_missing();
    unload_unused();
    if (!queue_.empty() || release_deferred()) {
      work();
      continue;
    }
    drop_unwanted_code();
    forget_settled();
    settle_canaries();
    if (is_dirty_ || !is_first_scan_done_) publish();
    if (!is_first_scan_done_ && awaiting_.empty() && trials_.empty()) {
      is_first_scan_done_ = true;
      board_.finish_first_scan();
      tell_change();
    }
    keep_proofs();
    source_.wait(next_deadline(), wake_.get());
    std::uint64_t wakes = 0;
    (void)!::read(wake_.get(), &wakes, sizeof wakes);
  }
  proofs_kept_at_ = {};
  keep_proofs();
  return {};
}

Result<> Registry::Builder::build_once() {
  TRY(look(Look::first));
  while (!queue_.empty() || release_deferred()) work();
  publish();
  board_.finish_first_scan();
  tell_change();
  return {};
}

// One step: builds what is cheapest.
void Registry::Builder::work() {
  const auto [stage, bytes, name] = *queue_.begin();
  const bool is_slow = stage == Record::Stage::compile && bytes > kSlowArtifactBytes;
  if (is_dirty_ && (is_slow || is_publish_due())) publish();
  build(records_.at(name));
}

RevisionBuilder::IfMissing Registry::Builder::if_missing(Record::Stage stage) const {
  using IfMissing = RevisionBuilder::IfMissing;
  if (stage != Record::Stage::compile) return IfMissing::tell;
  if (!is_compiling_elsewhere_) return IfMissing::compile;
  return options_.baseline == Baseline::allowed ? IfMissing::compile_baseline : IfMissing::tell;
}

RevisionBuilder::Order::SnapshotsBy Registry::Builder::snapshots_by(Record::Stage stage) const {
  using SnapshotsBy = RevisionBuilder::Order::SnapshotsBy;
  if (stage != Record::Stage::compile) return SnapshotsBy::nobody;
  return is_compiling_elsewhere_ ? SnapshotsBy::others : SnapshotsBy::this_thread;
}

void Registry::Builder::build(Record& record, const std::optional<RevisionBuilder::Code>& code) {
  const Record::Stage stage = record.stage;
  dequeue(record);
  if (record.missing_since) {
    record.candidate->wasm.stamp = {};  // it counts as changed should it come back
    settle_lost(record, "its module is gone");
    return;
  }
  if (!settle_route(record)) return;
  const TimePoint begin = Clock::now();
  const RevisionBuilder::Order order{.candidate = *record.candidate,
                                     .sidecar = *record.sidecar,
                                     .real_folder = real_folder_,
                                     .function = record.function,
                                     .live = record.lost.empty() ? record.live : nullptr,
                                     .live_key = record.live_key,
                                     .failed_key = record.failed_key,
                                     .siblings = siblings_of(record),
                                     .proof = proof_of(record),
                                     .if_missing = if_missing(stage),
                                     .code = code,
                                     .snapshots_by = snapshots_by(stage),
                                     .snapshot = record.snapshot ? &*record.snapshot : nullptr};
  auto outcome = revisions_.build(order);
  if (outcome.kind == RevisionBuilder::Outcome::Kind::outdated) return;
  if (outcome.kind == RevisionBuilder::Outcome::Kind::must_compile &&
      stage == Record::Stage::compile) {
    await_code(record, outcome);
    return;
  }
  if (outcome.kind == RevisionBuilder::Outcome::Kind::must_snapshot) {
    await_snapshot(record, outcome);
    return;
  }
  conclude(record, std::move(outcome), Clock::now() - begin);
}

// Whether the route is free for this function; else it is told, or put off until another function
// that comes before it by name is decided.
bool Registry::Builder::settle_route(Record& record) {
  const std::string& name = record.candidate->name;
  in_conflict_.erase(name);
  const std::string shape = wanted_shape(record);
  if (shape.empty()) return true;  // what is wrong, the build tells
  if (!take_route(record, shape, record.sidecar->manifest->host + record.sidecar->route)) {
    return false;
  }
  const auto rivals = wanted_.find(shape);
  const bool is_second = (rivals != wanted_.end() && *rivals->second.begin() < name) ||
                         has_rival_under_way(name, shape);
  if (is_second) deferred_.insert(name);
  return !is_second;
}

bool Registry::Builder::has_rival_under_way(const std::string& name,
                                            const std::string& shape) const {
  return std::any_of(trials_.begin(), trials_.lower_bound(name),
                     [&shape](const auto& each) { return each.second.shape == shape; }) ||
         std::any_of(awaiting_.begin(), awaiting_.lower_bound(name),
                     [this, &shape](const std::string& other) {
                       const Record& record = records_.at(other);
                       return record.is_awaiting() && wanted_shape(record) == shape;
                     });
}

// Whether no other function has the route; else this one is told.
bool Registry::Builder::take_route(Record& record, const std::string& shape,
                                   const std::string& route) {
  const std::string& name = record.candidate->name;
  const auto owner = owners_.find(shape);
  if (owner == owners_.end() || owner->second == name) return true;
  Record& other = records_.at(owner->second);
  if (other.missing_since) {
    remove(other, "its module is gone and another function has its route");
    return true;
  }
  in_conflict_.insert(name);
  reject(record, fmt::format("{0}.wasm: route {1} is that of {2}.wasm; name another route in "
                             "{0}.toml or {2}.toml",
                             name, route, owner->second));
  return false;
}

// Lets those in that waited for a route. Whether there are any.
bool Registry::Builder::release_deferred() {
  const auto released = std::erase_if(deferred_, [this](const std::string& name) {
    Record& record = records_.at(name);
    if (has_rival_under_way(name, wanted_shape(record))) return false;
    enqueue(record, Record::Stage::check);
    return true;
  });
  return released > 0;
}

void Registry::Builder::conclude(Record& record, RevisionBuilder::Outcome outcome,
                                 Duration elapsed) {
  using Kind = RevisionBuilder::Outcome::Kind;
  record.dependencies = std::move(outcome.dependencies);
  record.is_transient = outcome.is_transient;
  const bool is_good = outcome.kind == Kind::built || outcome.kind == Kind::must_compile;
  if (outcome.kind != Kind::must_compile) end_snapshot(record);
  if (is_good && is_on_trial(record.candidate->name, outcome.key)) return;  // the same once more
  end_trial(record.candidate->name);
  switch (outcome.kind) {
    case Kind::must_compile:
      enqueue(record, Record::Stage::compile);
      return;
    case Kind::built:
      try_smoke(record, {std::move(outcome), elapsed, wanted_shape(record), {}});
      return;
    case Kind::must_snapshot:
    case Kind::outdated:
      return;
    case Kind::failed:
      record.failed_key = outcome.key;
      reject(record, outcome.error);
      return;
    case Kind::same_as_failed:
      reject(record, record.failed_error);
      return;
    case Kind::same_as_live:
      record.status.state = FunctionState::live;
      record.status.error.clear();
      record.failed_error.clear();
      record.unpaired_error.clear();
      record.proof.artifact = std::move(outcome.proof.artifact);
      is_proof_new_ = true;
      board_.show(record.status);
      tell_change();
      return;
  }
}

void Registry::Builder::accept(Record& record, Trial passed) {
  const std::string& name = record.candidate->name;
  RevisionBuilder::Outcome& outcome = passed.outcome;
  if (record.live) {
    owners_.erase(record.live_shape);
    is_code_superseded_ = true;
  }
  record.live = std::move(outcome.revision);
  record.live_key = std::move(outcome.key);
  record.proof = std::move(outcome.proof);
  is_proof_new_ |= !outcome.is_proven;
  earlier_proofs_.erase(name);
  settle_lost(record, "its artifact was replaced meanwhile");
  record.failed_key.clear();
  record.failed_error.clear();
  record.unpaired_error.clear();
  const bool has_left_route = !record.live_shape.empty() && record.live_shape != passed.shape;
  if (!passed.shape.empty()) owners_[passed.shape] = name;
  record.live_shape = std::move(passed.shape);
  if (has_left_route) retry_conflicts();

  FunctionStatus& status = record.status;
  // A newer one may be in the queue by the time that this one has passed.
  status.state =
      record.stage == Record::Stage::idle ? FunctionState::live : FunctionState::building;
  status.route = record.live->route;
  status.contract = name_of(record.live->contract);
  status.digest = record.live->digest;
  status.artifact_bytes = outcome.artifact_bytes;
  status.published_at = record.live->published_at;
  status.error.clear();
  status.build_elapsed = std::chrono::duration_cast<std::chrono::microseconds>(passed.elapsed);
  status.is_from_cache = outcome.is_from_cache;
  status.code = name_of(record.live->program->facts().tier);
  if (is_compiling_elsewhere_ && record.live->program->facts().tier == engine::Tier::baseline) {
    optimized_lane_.add({.digest = record.live->digest,
                         .paths = {record.candidate->wasm.path},
                         .bytes = outcome.artifact_bytes,
                         .purpose = CompileLane::Purpose::to_be_better});
  }
  is_dirty_ = true;
  unannounced_.push_back(name);
}

void Registry::Builder::reject(Record& record, const std::string& error) {
  end_trial(record.candidate->name);
  end_snapshot(record);
  FunctionStatus& status = record.status;
  status.state = record.live ? FunctionState::stale : FunctionState::failed;
  status.error = error;
  if (error != record.failed_error) {
    record.failed_error = error;
    status.failed_at = std::chrono::system_clock::now();
    log::warn("function.rejected",
              {{"function", status.name},
               {"error", error},
               {"consequence", record.live ? "the last good revision stays live" : "not served"}});
  }
  settle_lost(record, error);
  board_.show(status);
  tell_change();
}

void Registry::Builder::remove(Record& record, std::string_view reason) {
  const std::string name = record.candidate->name;
  dequeue(record);
  end_trial(name);
  end_snapshot(record);
  deferred_.erase(name);
  canaries_.erase(name);
  is_code_superseded_ = true;
  if (record.live) {
    is_dirty_ = true;
    log::info("function.removed", {{"function", name}, {"reason", reason}});
  }
  if (!record.live_shape.empty()) owners_.erase(record.live_shape);
  in_conflict_.erase(name);
  board_.hide(name);
  settle_lost(record, "it was removed");
  is_proof_new_ = true;
  earlier_proofs_.erase(name);
  auto function = std::move(record.function);
  record = Record();
  record.function = std::move(function);
  retry_conflicts();
}

// A canary goes at once: without it every request is still answered.
TimePoint Registry::Builder::removal_at(const Record& record) const {
  return record.is_canary() ? *record.missing_since
                            : *record.missing_since + options_.removal_grace;
}

void Registry::Builder::remove_missing() {
  if (is_source_lost_) return;
  for (auto& [name, record] : records_) {
    if (!record.missing_since) continue;
    if (Clock::now() < removal_at(record)) continue;
    if (is_kept_for_function(record)) continue;
    remove(record, "its module is gone");
  }
}

// What failed for another's route may have it now.
void Registry::Builder::retry_conflicts() {
  for (const std::string& name : std::exchange(in_conflict_, {})) {
    enqueue(records_.at(name), Record::Stage::check);
  }
}

void Registry::Builder::enqueue(Record& record, Record::Stage stage) {
  dequeue(record);
  const std::string& name = record.candidate->name;
  record.stage = stage;
  is_code_superseded_ |= !record.awaited_digest.empty();
  record.awaited_digest.clear();
  record.queued_bytes = record.candidate->wasm.stamp.bytes;
  record.queued_shape = wanted_shape(record);
  queue_.emplace(stage, record.queued_bytes, name);
  if (!record.queued_shape.empty()) wanted_[record.queued_shape].insert(name);
}

void Registry::Builder::dequeue(Record& record) {
  if (record.stage == Record::Stage::idle) return;
  const std::string& name = record.candidate->name;
  queue_.erase({record.stage, record.queued_bytes, name});
  record.stage = Record::Stage::idle;
  const auto wanted = wanted_.find(record.queued_shape);
  if (wanted == wanted_.end()) return;
  wanted->second.erase(name);
  if (wanted->second.empty()) wanted_.erase(wanted);
}

void Registry::Builder::publish() {
  settle_canaries();
  Catalog::Revisions revisions;
  Catalog::Revisions canaries;
  for (auto& [name, record] : records_) {
    if (record.is_paired) canaries.push_back(record.live);
    if (!record.live || record.is_canary()) continue;
    revisions.push_back(record.live);
    record.is_published = true;
  }
  auto catalog = Catalog::build(std::move(revisions), has_public_folder_, canaries);
  CHECK(catalog.has_value(), "{}", catalog.error().message);  // routes were settled before
  board_.show_catalog(*catalog);
  publish_(*catalog);
  published_at_ = Clock::now();
  is_dirty_ = false;
  for (const std::string& name : std::exchange(unannounced_, {})) {
    const Record& record = records_.at(name);
    if (!record.live) continue;  // removed since
    board_.show(record.status);
    if (record.is_canary() && !record.is_paired) continue;  // announced when it is
    log::info("function.published",
              {{"function", name},
               {"route", record.live->route},
               {"digest", std::string_view(record.live->digest).substr(0, kDigestTold)},
               {"code", record.status.is_from_cache ? "cached" : record.status.code},
               {"elapsed", format_elapsed(published_at_ - record.noticed_at)}});
    if (record.is_canary()) {
      const CanarySpec& canary = *record.live->manifest.canary;
      log::info("canary.published", {{"function", record.live->function->name},
                                     {"canary", name},
                                     {"weight", format_weight(canary.weight)},
                                     {"sticky", format_stickiness(canary.sticky)}});
    }
  }
  tell_change();
}

bool Registry::Builder::is_publish_due() const {
  return Clock::now() - published_at_ >= options_.publish_gap;
}

TimePoint Registry::Builder::next_deadline() const {
  TimePoint deadline = memory_deadline();
  if (is_source_lost_) return deadline;
  for (const auto& [name, record] : records_) {
    if (record.missing_since && !is_kept_for_function(record)) {
      deadline = std::min(deadline, removal_at(record));
    }
  }
  return deadline;
}

void Registry::Builder::tell_change() const {
  if (options_.on_change) options_.on_change();
}

}  // namespace funcd::registry
