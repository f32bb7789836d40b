#include <algorithm>
#include <utility>

#include "base/check.h"
#include "registry/builder.h"

namespace funcd::registry {

// It goes live at once where it has no smoke request; else once that is answered. Until then
// nothing changes for the function.
void Registry::Builder::try_smoke(Record& record, Trial trial) {
  const auto revision = trial.outcome.revision;
  // What has answered before does not depend on who is away at a restart, or when the cache has
  // lost its code.
  const bool is_proven =
      trial.outcome.is_proven || (!record.lost.empty() && trial.outcome.key == record.proof.key);
  if (!revision->manifest.smoke || !options_.smoke || is_proven) {
    accept(record, std::move(trial));
    return;
  }
  if (!is_smoking_elsewhere_) {
    conclude_trial(record, std::move(trial), options_.smoke(*revision, stop_));
    return;
  }
  trial.program = revision->program->pin();
  const bool is_new = trials_.emplace(record.candidate->name, std::move(trial)).second;
  CHECK(is_new, "{}", record.candidate->name);
  smoke_lane_.add(revision);
}

// What has come since takes its place.
void Registry::Builder::end_trial(const std::string& name) {
  const auto trial = trials_.find(name);
  if (trial == trials_.end()) return;
  smoke_lane_.drop(*trial->second.outcome.revision);
  trials_.erase(trial);
}

void Registry::Builder::take_tried() {
  for (const SmokeLane::Done& done : smoke_lane_.take()) {
    const auto trial = trials_.find(done.revision->function->title);
    if (trial == trials_.end() || trial->second.outcome.revision != done.revision) continue;
    Record& record = records_.at(trial->first);
    Trial ended = std::move(trial->second);
    trials_.erase(trial);
    conclude_trial(record, std::move(ended), done.answer);
  }
}

void Registry::Builder::conclude_trial(Record& record, Trial trial, const Result<>& answer) {
  if (record.missing_since) {
    record.candidate->wasm.stamp = {};  // it counts as changed should it come back
    settle_lost(record, "its module is gone");
    return;
  }
  if (!answer) {
    // Not remembered as failed for good: the same file, put there again, is tried again.
    record.failed_key.clear();
    reject(record, fmt::format("{}.wasm: {}", record.candidate->name, answer.error().message));
    return;
  }
  const Revision& revision = *trial.outcome.revision;
  if (!take_route(record, trial.shape, revision.manifest.host + revision.route)) return;
  accept(record, std::move(trial));
}

bool Registry::Builder::is_on_trial(const std::string& name, const std::string& key) const {
  const auto trial = trials_.find(name);
  return trial != trials_.end() && trial->second.outcome.key == key;
}

}  // namespace funcd::registry
