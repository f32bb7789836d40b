#include <algorithm>
#include <utility>

#include "base/file_lock.h"
#include "base/log.h"
#include "registry/builder.h"
#include "registry/inside.h"
#include "registry/mounted_folders.h"
#include "registry/route.h"

namespace funcd::registry {
namespace {

// Mounts named in a folder that is itself mounted do not count, so the set of excluded folders is
// looked for in steps. Sidecars that exclude each other end here, with less served.
constexpr int kScansMax = 4;
// Who deploys replaces a few files by renames, and holds no look up for longer.
constexpr std::chrono::milliseconds kReplacingMax{100};

bool is_below(const std::string& name, const std::vector<std::string>& folders) {
  return std::any_of(folders.begin(), folders.end(),
                     [&name](const std::string& folder) { return name.starts_with(folder); });
}

bool is_same(const std::optional<SourceFile>& left, const std::optional<SourceFile>& right) {
  if (left.has_value() != right.has_value()) return false;
  return !left || (left->stamp == right->stamp && left->path == right->path);
}

// What is written to a copy of a source would be lost, and seen by nobody else.
void refuse_writable_mounts(Sidecar& sidecar, const Candidate& candidate) {
  if (!sidecar.manifest) return;
  for (const MountSpec& mount : sidecar.manifest->mounts) {
    if (!mount.is_writable) continue;
    sidecar.manifest = fail(
        "{}.toml: mount of {}: cannot be writable, as it comes from a bucket; keep data in a store "
        "or elsewhere, or leave out writable",
        candidate.name, mount.host);
    return;
  }
}

}  // namespace

Result<> Registry::Builder::look(Look kind) {
  std::unique_lock<std::mutex> lock;
  if (options_.source_lock != nullptr) lock = std::unique_lock(*options_.source_lock);
  const FolderLock folder_lock(options_.folder, FolderLock::Kind::to_look, kReplacingMax);
  auto scanned = scan(kind);
  if (!scanned) {
    if (!is_source_lost_ && kind == Look::again) {
      log::error("source.lost", {{"source", options_.folder},
                                 {"error", scanned.error().message},
                                 {"consequence", "what is live stays live"}});
    }
    is_source_lost_ = true;
    board_.show_source_error(scanned.error().message);
    tell_change();
    return fail(scanned.error());
  }
  if (is_source_lost_) log::info("source.found", {{"source", options_.folder}});
  is_source_lost_ = false;
  board_.show_source_error("");
  real_folder_ = scanned->real_folder;
  if (std::exchange(has_public_folder_, scanned->has_public_folder) != scanned->has_public_folder) {
    is_dirty_ = true;
  }
  plan(*scanned, kind);
  note_missing(*scanned);
  show_problems(std::move(scanned->problems));
  expect_routes();
  source_.forget_touched();
  tell_change();
  return {};
}

// The folder without what is mounted. Reads sidecars on the way, as they say what that is.
Result<FolderScan> Registry::Builder::scan(Look kind) {
  for (int scans = 1;; ++scans) {
    FolderScan found = TRY(source_.look(excluded_));
    if (!read_sidecars(found, kind) && scans < kScansMax) continue;
    std::vector<std::string> excluded = mounted_folders(found);
    if (excluded == excluded_ || scans == kScansMax) {
      std::erase_if(found.candidates, [this](const Candidate& candidate) {
        return is_inside_any(candidate.wasm.real_path, excluded_);
      });
      return found;
    }
    if (scans + 1 == kScansMax) {
      excluded.insert(excluded.end(), excluded_.begin(), excluded_.end());
      std::sort(excluded.begin(), excluded.end());
    }
    excluded_ = std::move(excluded);
  }
}

bool Registry::Builder::read_sidecars(const FolderScan& scan, Look kind) {
  bool are_of_scan = true;
  for (const Candidate& candidate : scan.candidates) {
    Record& record = records_[candidate.name];
    const bool is_known = record.sidecar && record.candidate &&
                          is_same(record.candidate->sidecar, candidate.sidecar) &&
                          record.candidate->sidecar_error == candidate.sidecar_error;
    const bool is_touched = candidate.sidecar && source_.is_touched(candidate.sidecar->real_path);
    const bool is_to_retry = record.sidecar && record.sidecar->is_unread;
    if (is_known && !is_touched && !is_to_retry) continue;
    const bool is_settled =
        kind == Look::first || !candidate.sidecar || source_.is_settled(*candidate.sidecar);
    // What was read last stays in force while a new text is being written.
    if (!is_settled && record.sidecar) continue;
    Sidecar read = read_sidecar(candidate, options_.limits, options_.ceilings);
    if (options_.writable_mounts == WritableMounts::refused)
      refuse_writable_mounts(read, candidate);
    // Of a text that cannot be read it is not known that it mounts less than the one before.
    if (!read.manifest && record.sidecar) {
      std::set<std::string> hosts(read.mount_hosts.begin(), read.mount_hosts.end());
      hosts.insert(record.sidecar->mount_hosts.begin(), record.sidecar->mount_hosts.end());
      read.mount_hosts.assign(hosts.begin(), hosts.end());
    }
    record.sidecar = std::move(read);
    are_of_scan &=
        !candidate.sidecar || stamp_of(candidate.sidecar->path) == candidate.sidecar->stamp;
  }
  return are_of_scan;
}

// Mounts of what is live count too: its sidecar may be broken or gone by now.
std::vector<std::string> Registry::Builder::mounted_folders(const FolderScan& scan) const {
  std::set<std::string> folders;
  for (const Candidate& candidate : scan.candidates) {
    if (is_inside_any(candidate.wasm.real_path, excluded_)) continue;
    const auto record = records_.find(candidate.name);
    if (record == records_.end() || !record->second.sidecar) continue;
    for (const std::string& host : record->second.sidecar->mount_hosts) {
      if (auto real = resolve_mount(host, candidate, scan.real_folder)) folders.insert(*real);
    }
  }
  for (const auto& [name, record] : records_) {
    if (!record.live) continue;
    for (const engine::Mount& mount : record.live->mounts) folders.insert(mount.host);
  }
  return {folders.begin(), folders.end()};
}

void Registry::Builder::plan(const FolderScan& scan, Look kind) {
  for (const Candidate& candidate : scan.candidates) {
    Record& record = records_[candidate.name];
    record.missing_since.reset();
    if (!has_changed(record, candidate)) continue;
    if (kind == Look::again && !is_settled(record, candidate)) continue;
    if (!record.function) {
      const auto canary = canary_name_of(candidate.name);
      record.function = canary ? std::make_shared<Function>(std::string(canary->function),
                                                            options_.workers, canary->number)
                               : std::make_shared<Function>(candidate.name, options_.workers);
    }
    record.candidate = candidate;
    record.noticed_at = Clock::now();
    record.status.name = candidate.name;
    if (record.is_canary()) canaries_.insert(candidate.name);
    // Another try at what the system has refused is no news until it is through.
    if (!record.is_transient) {
      record.status.state = FunctionState::building;
      record.status.error.clear();
    }
    board_.show(record.status);
    enqueue(record, Record::Stage::check);
  }
}

bool Registry::Builder::has_changed(const Record& record, const Candidate& candidate) const {
  if (!record.candidate) return true;
  const Candidate& known = *record.candidate;
  if (known.wasm.stamp != candidate.wasm.stamp || known.wasm.path != candidate.wasm.path ||
      !is_same(known.sidecar, candidate.sidecar) ||
      known.sidecar_error != candidate.sidecar_error) {
    return true;
  }
  if (source_.is_touched(candidate.wasm.real_path)) return true;
  if (candidate.sidecar && source_.is_touched(candidate.sidecar->real_path)) return true;
  if (record.is_transient && source_.is_periodic_look()) return true;
  return std::any_of(record.dependencies.begin(), record.dependencies.end(),
                     [this](const Dependency& dependency) {
                       auto stamp = stamp_of(dependency.path);
                       if (stamp && dependency.is_folder) {
                         stamp = FileStamp{.device = stamp->device, .inode = stamp->inode};
                       }
                       return stamp != dependency.stamp || source_.is_touched(dependency.path);
                     });
}

bool Registry::Builder::is_settled(const Record& record, const Candidate& candidate) {
  bool is_settled = source_.is_settled(candidate.wasm);
  if (candidate.sidecar) is_settled &= source_.is_settled(*candidate.sidecar);
  for (const Dependency& dependency : record.dependencies) {
    if (dependency.is_folder) continue;
    const auto stamp = stamp_of(dependency.path);
    if (stamp) is_settled &= source_.is_settled({dependency.path, dependency.path, *stamp});
  }
  return is_settled;
}

void Registry::Builder::note_missing(const FolderScan& scan) {
  std::set<std::string_view> present;
  for (const Candidate& candidate : scan.candidates) present.insert(candidate.name);
  for (auto& [name, record] : records_) {
    if (present.contains(name) || !record.candidate) continue;
    if (is_below(name, scan.unreadable)) continue;  // not known to be gone
    if (!record.missing_since) record.missing_since = Clock::now();
  }
}

void Registry::Builder::show_problems(std::vector<Problem> problems) {
  std::set<std::string> told;
  for (const Problem& problem : problems) {
    std::string line = problem.path + ": " + problem.message;
    if (!problems_told_.contains(line)) {
      log::warn("source.problem", {{"path", problem.path}, {"error", problem.message}});
    }
    told.insert(std::move(line));
  }
  problems_told_ = std::move(told);
  board_.show_problems(std::move(problems));
}

// Requests for these routes may wait for a catalog that has them instead of being told that there
// is nothing.
void Registry::Builder::expect_routes() {
  std::vector<StatusBoard::Expected> expected;
  for (const auto& [name, record] : records_) {
    if (!record.candidate || record.is_canary() || record.is_published) continue;
    if (record.live) {
      // Its sidecar may name another route by now.
      if (auto route = parse_route(record.live->route)) expected.push_back({name, *route});
    } else if (record.status.state == FunctionState::building) {
      expected.push_back({name, record.sidecar->segments});
    }
  }
  board_.expect(expected);
}

}  // namespace funcd::registry
