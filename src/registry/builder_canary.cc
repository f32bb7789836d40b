#include <algorithm>

#include "base/log.h"
#include "registry/builder.h"

namespace funcd::registry {

// Before each catalog, and when nothing is left to build: what a function does decides about its
// canary, and the other way round never.
void Registry::Builder::settle_canaries() {
  for (const std::string& name : canaries_) settle_canary(records_.at(name));
}

void Registry::Builder::settle_canary(Record& canary) {
  const auto error = canary.live ? pairing_error(canary) : std::optional<std::string>();
  const bool is_paired = error && error->empty();
  if (std::exchange(canary.is_paired, is_paired) != is_paired) {
    is_dirty_ = true;
    if (is_paired && std::ranges::find(unannounced_, canary.candidate->name) == unannounced_.end())
      unannounced_.push_back(canary.candidate->name);
  }
  if (!error || std::exchange(canary.unpaired_error, *error) == *error) return;
  FunctionStatus& status = canary.status;
  // What a newer file of it failed for comes first, and what is being built tells for itself.
  if (!canary.failed_error.empty() || status.state == FunctionState::building) return;
  status.error = *error;
  status.state = is_paired ? FunctionState::live : FunctionState::failed;
  if (is_paired) return;  // shown once it is in a catalog
  status.failed_at = std::chrono::system_clock::now();
  log::warn("canary.unused", {{"function", canary.function->name},
                              {"canary", status.name},
                              {"error", *error},
                              {"consequence", "it gets no requests"}});
  board_.show(status);
  tell_change();
}

// Why a canary that is built gets no requests; "" when it does, nothing while it cannot be told.
std::optional<std::string> Registry::Builder::pairing_error(const Record& canary) const {
  const std::string& name = canary.candidate->name;
  const std::string& function = canary.function->name;
  for (const std::string& other_name : canaries_) {
    const Record& other = records_.at(other_name);
    if (other.live && !other.missing_since && other.function->name == function &&
        other.function->canary > canary.function->canary) {
      return fmt::format("{}.wasm: {}.wasm is a newer canary of {}; remove one of the two", name,
                         other_name, function);
    }
  }
  const Record* beside = function_of(canary);
  if (beside == nullptr) {
    return fmt::format("{}.wasm: there is no {}.wasm whose canary it could be", name, function);
  }
  if (!beside->live) {
    if (beside->status.state == FunctionState::building) return std::nullopt;
    return fmt::format("{}.wasm: {}.wasm is not live, so there is nothing to be a canary of", name,
                       function);
  }
  const Revision& live = *beside->live;
  if (canary.live->route == live.route && canary.live->manifest.host == live.manifest.host) {
    return "";
  }
  return fmt::format(
      "{}.wasm: its route is {}{}, and that of {}.wasm is {}{}; a canary answers where its "
      "function does: give {}.toml and {}.toml one route",
      name, canary.live->manifest.host, canary.live->route, function, live.manifest.host,
      live.route, name, function);
}

const Record* Registry::Builder::function_of(const Record& canary) const {
  const auto found = records_.find(canary.function->name);
  return found != records_.end() && found->second.candidate ? &found->second : nullptr;
}

// A canary that is promoted leaves as its function takes its place: until that is built, those who
// met the canary go on meeting it.
bool Registry::Builder::is_kept_for_function(const Record& record) const {
  if (!record.is_canary() || !record.is_paired) return false;
  const Record* beside = function_of(record);
  return beside != nullptr &&
         (beside->stage != Record::Stage::idle || beside->is_awaiting() ||
          trials_.contains(beside->candidate->name) || deferred_.contains(beside->candidate->name));
}

// A function and its canaries: what is promoted need not be compiled or loaded again.
std::vector<std::shared_ptr<const Revision>> Registry::Builder::siblings_of(
    const Record& record) const {
  std::vector<std::shared_ptr<const Revision>> siblings;
  if (canaries_.empty()) return siblings;
  if (record.is_canary()) {
    const Record* beside = function_of(record);
    if (beside != nullptr && beside->live) siblings.push_back(beside->live);
  }
  for (const std::string& name : canaries_) {
    const Record& canary = records_.at(name);
    if (&canary != &record && canary.live && canary.function->name == record.function->name) {
      siblings.push_back(canary.live);
    }
  }
  return siblings;
}

}  // namespace funcd::registry
