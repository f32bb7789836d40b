#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "registry/builder.h"

namespace funcd::registry {
namespace {

// From one time that proofs are written to the next; who is killed in between proves again.
constexpr std::chrono::seconds kProofsGap{5};
// How often it is looked for what is not used, within the time after which it goes.
constexpr int kLooksWithin = 4;
constexpr std::size_t kNameDigits = 16;

}  // namespace

Registry::ProgramCounts Registry::Builder::program_counts() const {
  const ProgramTable::Counts counts = revisions_.loader().table().counts();
  return {.loaded = engine_.programs_loaded(), .loads = counts.loads, .unloads = counts.unloads};
}

// Of this source in the cache.
std::string Registry::Builder::proofs_name() const {
  return "proofs-" + sha256_hex(real_folder_).substr(0, kNameDigits);
}

// What a proof depends on besides the function: this very binary, its engine, and what it may use.
std::string Registry::Builder::circumstances() const {
  const FileStamp binary = stamp_of("/proc/self/exe").value_or(FileStamp());
  return fmt::format("{} {}.{}.{}.{}.{} {} {}", engine_.fingerprint(), binary.device, binary.inode,
                     binary.bytes, binary.modified_ns, binary.changed_ns,
                     engine_.options().memory_bytes_ceiling, engine_.options().guest_stack_bytes);
}

void Registry::Builder::read_proofs() {
  if (cache_ == nullptr || options_.unload_after.count() == 0) return;
  const auto text = cache_->note(proofs_name());
  if (!text) return;
  auto proofs = parse_proofs(*text, circumstances());
  if (proofs) {
    earlier_proofs_ = std::move(*proofs);
    return;
  }
  log::warn("cache.damaged",
            {{"entry", proofs_name()},
             {"error", proofs.error().message},
             {"remedy", "functions are read and tried again, as for the first time"}});
}

// Not before the first scan is done: until then those of an earlier server are the better ones.
bool Registry::Builder::are_proofs_due() const {
  return is_first_scan_done_ && is_proof_new_ && cache_ != nullptr &&
         options_.unload_after.count() > 0;
}

void Registry::Builder::keep_proofs() {
  if (!are_proofs_due()) return;
  if (proofs_kept_at_ != TimePoint() && Clock::now() < proofs_kept_at_ + kProofsGap) return;
  is_proof_new_ = false;
  proofs_kept_at_ = Clock::now();
  Proofs proofs;
  for (const auto& [name, record] : records_) {
    // Code of the baseline compiler is kept nowhere.
    if (record.live && record.proof.facts.tier == engine::Tier::optimized) {
      proofs.emplace(name, record.proof);
    }
  }
  if (const auto kept = cache_->keep_note(proofs_name(), text_of(proofs, circumstances())); !kept) {
    log::warn("cache.unavailable",
              {{"error", kept.error().message}, {"consequence", "the next start takes longer"}});
  }
}

const Proof* Registry::Builder::proof_of(const Record& record) const {
  if (record.live) return nullptr;
  const auto found = earlier_proofs_.find(record.candidate->name);
  return found == earlier_proofs_.end() ? nullptr : &found->second;
}

void Registry::Builder::unload_unused() {
  const TimePoint now = Clock::now();
  if (options_.unload_after.count() == 0 ||
      now < unloaded_at_ + options_.unload_after / kLooksWithin)
    return;
  unloaded_at_ = now;
  if (revisions_.loader().unload_unused_since(now - options_.unload_after) > 0) tell_change();
}

TimePoint Registry::Builder::memory_deadline() const {
  TimePoint deadline = TimePoint::max();
  if (options_.unload_after.count() == 0) return deadline;
  deadline = unloaded_at_ + options_.unload_after / kLooksWithin;
  if (are_proofs_due()) {
    deadline = std::min<TimePoint>(deadline, proofs_kept_at_ + kProofsGap);
  }
  return deadline;
}

// The artifact is compiled again, as if the function were new; requests for it wait meanwhile.
void Registry::Builder::take_lost() {
  for (auto& program : load_lane_.take_lost()) {
    const auto found = std::find_if(records_.begin(), records_.end(), [&](const auto& entry) {
      return entry.second.live && entry.second.live->program == program;
    });
    if (found == records_.end()) {
      load_lane_.settle(*program, fail("it was replaced, and its code is gone from the cache"));
      continue;
    }
    auto& [name, record] = *found;
    log::warn("cache.lost", {{"function", name},
                             {"error", "its code is gone from the cache"},
                             {"remedy", "it is compiled again; a larger cache_size keeps it"}});
    record.lost.push_back(std::move(program));
    record.live_key.clear();
    if (record.awaited_digest.empty()) enqueue(record, Record::Stage::check);
  }
}

void Registry::Builder::settle_lost(Record& record, const std::string& error) {
  for (const auto& program : std::exchange(record.lost, {})) {
    auto found = record.live && record.live->program->code() == program->code()
                     ? record.live->program->share()
                     : nullptr;
    if (found == nullptr) {
      load_lane_.settle(*program, fail("its code is gone from the cache: {}", error));
      continue;
    }
    program->load(std::move(found));
    load_lane_.settle(*program, {});
  }
}

}  // namespace funcd::registry
