#include "source/deployments.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <ranges>
#include <set>

#include "base/file.h"
#include "base/time_text.h"
#include "source/object_path.h"

namespace funcd::source {
namespace {

constexpr std::uint64_t kRecordBytesMax = 4ULL << 20;
constexpr std::uint64_t kFileBytesMax = 256ULL << 20;
// How often somebody else may be faster.
constexpr int kTriesMax = 20;
constexpr std::string_view kModuleSuffix = ".wasm";
constexpr std::string_view kSidecarSuffix = ".toml";

std::string folder_of(const std::string& name) {
  return fmt::format(".funcd/{}/", name);
}
std::string record_path(const std::string& name) {
  return folder_of(name) + "revisions.json";
}

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string_view text_of(const ObjectStore::Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

DeployedRevision revision_of(const Deployments::Files& files, std::string note) {
  DeployedRevision revision{.number = 1,
                            .at = format_time(std::chrono::system_clock::now()),
                            .note = std::move(note),
                            .files = {}};
  for (const auto& file : files) {
    revision.files.push_back({file.path, sha256_hex(file.bytes), file.bytes.size()});
  }
  return revision;
}

// Whether a revision had that file with that content.
bool has_file(const DeploymentRecord& record, const std::string& path, const std::string& digest) {
  return std::ranges::any_of(record.revisions, [&](const DeployedRevision& revision) {
    return std::ranges::any_of(revision.files, [&](const DeployedFile& file) {
      return file.path == path && file.sha256 == digest;
    });
  });
}

std::uint64_t next_number(const DeploymentRecord& record) {
  return record.revisions.empty() ? 1 : record.revisions.back().number + 1;
}

// The oldest ones go, but for those that requests meet, and that which a rollback leads to.
void limit_revisions(DeploymentRecord& record) {
  auto& revisions = record.revisions;
  const auto previous = record.previous();
  for (auto at = revisions.begin();
       revisions.size() > Deployments::kRevisionsMax && at != revisions.end();) {
    const bool is_in_use = at->number == record.live || at->number == previous ||
                           (record.canary && at->number == record.canary->number);
    at = is_in_use ? std::next(at) : revisions.erase(at);
  }
  std::erase_if(record.history,
                [&](std::uint64_t number) { return record.find(number) == nullptr; });
}

// The number in "hello@2.wasm" of hello.
std::optional<std::uint64_t> number_in(std::string_view path, const std::string& name,
                                       std::string_view suffix) {
  if (!path.starts_with(name + "@") || !path.ends_with(suffix)) return std::nullopt;
  path.remove_prefix(name.size() + 1);
  path.remove_suffix(std::min(suffix.size(), path.size()));
  std::uint64_t number = 0;
  const auto read = std::from_chars(path.data(), path.data() + path.size(), number);
  if (read.ec != std::errc() || read.ptr != path.data() + path.size()) return std::nullopt;
  return number;
}

}  // namespace

Result<Deployments::Versioned> Deployments::read_versioned(const std::string& name) {
  const std::string path = record_path(name);
  const auto stored = TRY(store_.get(path, kRecordBytesMax));
  if (!stored) return Versioned();
  auto record = parse_record(text_of(stored->bytes), name);
  if (!record) return fail("{}: {}", path, record.error().message);
  return Versioned{std::move(*record), stored->version};
}

Result<std::optional<DeploymentRecord>> Deployments::read(const std::string& name) {
  return TRY(read_versioned(name)).record;
}

Result<std::optional<std::uint64_t>> Deployments::find_live(const DeploymentRecord& record) {
  std::map<std::string, std::string> digests;  // by path; "" of what is not there
  const auto digest_at = [&](const std::string& path) -> Result<std::string> {
    const auto [known, is_new] = digests.try_emplace(path);
    if (is_new) known->second = TRY(store_.digest_of(path, kFileBytesMax)).value_or("");
    return known->second;
  };
  // An empty sidecar says the same as none.
  const auto or_empty = [](std::string digest) {
    return digest.empty() ? sha256_hex("") : std::move(digest);
  };
  const std::string sidecar_path = record.function + std::string(kSidecarSuffix);
  const auto lies_there = [&](const DeployedRevision& revision) -> Result<bool> {
    const DeployedFile* own = revision.sidecar();
    const std::string sidecar = or_empty(own == nullptr ? "" : own->sha256);
    if (or_empty(TRY(digest_at(sidecar_path))) != sidecar) return false;
    for (const DeployedFile& file : revision.files) {
      if (&file != own && TRY(digest_at(file.path)) != file.sha256) return false;
    }
    return true;
  };
  // Of several that are the same it is the one that is recorded.
  const DeployedRevision* live = record.find(record.live);
  if (live != nullptr && TRY(lies_there(*live))) return record.live;
  for (const DeployedRevision& revision : std::views::reverse(record.revisions)) {
    if (TRY(lies_there(revision))) return revision.number;
  }
  return std::nullopt;
}

Result<> Deployments::keep(const std::string& name, const Files& files,
                           const ObjectStore::OnProgress& on_progress) {
  for (const auto& file : files) {
    const bool is_module = &file == &files.back();
    TRY(store_.put_once(folder_of(name) + sha256_hex(file.bytes), file.bytes,
                        is_module ? on_progress : nullptr));
  }
  return {};
}

// All that the function consists of now; nothing without its module.
Result<Deployments::Files> Deployments::files_there(const std::string& name) {
  Files files;
  auto module = TRY(store_.get(name + std::string(kModuleSuffix), kFileBytesMax));
  if (!module) return files;
  const std::string path = name + std::string(kSidecarSuffix);
  auto sidecar = TRY(store_.get(path, kFileBytesMax));
  if (sidecar && !sidecar->bytes.empty()) {  // an empty one says the same as none
    for (const std::string& schema : schemas_of_(name, sidecar->bytes)) {
      if (auto there = TRY(store_.get(schema, kFileBytesMax))) {
        files.push_back({schema, std::move(there->bytes)});
      }
    }
    files.push_back({path, std::move(sidecar->bytes)});
  }
  files.push_back({name + std::string(kModuleSuffix), std::move(module->bytes)});
  return files;
}

// Has the record say what lies in the source: somebody may have put it there by hand, before the
// first deployment or since the last, and a change may have ended between the two. So there is a
// way back to it, and from it. Returns the number of what lies there; nothing when that is nothing.
Result<std::optional<std::uint64_t>> Deployments::meet(DeploymentRecord& record) {
  if (const auto there = TRY(find_live(record))) {
    if (*there != record.live) record.go_back_to(*there);
    return there;
  }
  const Files files = TRY(files_there(record.function));
  const bool is_torn = std::ranges::all_of(files, [&record](const ObjectStore::File& file) {
    return has_file(record, file.path, sha256_hex(file.bytes));
  });
  // Parts of several revisions are no version of anybody's: they are put right again.
  if (files.empty() || is_torn) return std::nullopt;
  TRY(keep(record.function, files, nullptr));
  DeployedRevision revision = revision_of(files, "found");
  revision.number = next_number(record);
  record.revisions.push_back(revision);
  record.go_on_to(revision.number);
  return revision.number;
}

// A schema lies where the sidecar says, perhaps beside those of other functions.
Result<> Deployments::check_shared(const DeploymentRecord& record, const Files& files) {
  const DeployedRevision* live = record.find(record.live);
  for (const auto& file : files) {
    if (stem_of(file.path) == stem_of(files.back().path)) continue;
    const auto there = TRY(store_.digest_of(file.path, kFileBytesMax));
    if (!there || *there == sha256_hex(file.bytes)) continue;
    const bool is_own =
        live != nullptr &&
        std::ranges::find(live->files, file.path, &DeployedFile::path) != live->files.end();
    if (is_own) continue;
    return fail(
        "{}: another one lies in the source, which may be another function's; give it a name of "
        "its own in the sidecar, such as {}.schema.json",
        file.path, stem_of(files.back().path));
  }
  return {};
}

// One that the record does not know as a canary any more, and that lies there still.
Result<std::optional<std::uint64_t>> Deployments::find_left_canary(const DeploymentRecord& record) {
  for (const std::string& path : TRY(store_.list(record.function + "@"))) {
    const auto number = number_in(path, record.function, kModuleSuffix);
    const DeployedRevision* revision = number ? record.find(*number) : nullptr;
    if (revision == nullptr) continue;
    const auto digest = TRY(store_.digest_of(path, kFileBytesMax));
    if (digest == revision->module().sha256) return number;
  }
  return std::nullopt;
}

Result<Deployments::Change> Deployments::change(const std::string& name, IfMissing if_missing,
                                                const Edit& edit) {
  for (int tries = 0; tries < kTriesMax; ++tries) {
    Versioned known = TRY(read_versioned(name));
    if (!known.record && if_missing == IfMissing::fail) {
      return fail("{}: has no revisions; those are kept that were deployed with funcd deploy",
                  name);
    }
    DeploymentRecord none;
    none.function = name;
    const DeploymentRecord before = known.record.value_or(none);
    DeploymentRecord record = before;
    const auto there = TRY(meet(record));
    const std::uint64_t live_before = record.live;
    const std::uint64_t number = TRY(edit(record));
    limit_revisions(record);
    const std::string text = source::text_of(record);
    if (!TRY(store_.put_if(record_path(name), bytes_of(text), known.version))) continue;
    TRY(publish(name, there != record.live));
    TRY(prune(before, record));
    Change change{.revision = *record.find(number),
                  .sidecar_digest = {},
                  .canary = record.canary,
                  .dropped = {}};
    const DeployedFile* sidecar = change.revision.sidecar();
    const bool says_something = sidecar != nullptr && sidecar->bytes > 0;
    if (says_something) change.sidecar_digest = sidecar->sha256;
    if (record.canary && record.canary->number == number) {
      const Files files = TRY(content_of(name, change.revision));
      const std::string_view own = sidecar == nullptr ? "" : text_of(files[files.size() - 2].bytes);
      change.sidecar_digest = sha256_hex(canary_sidecar(own, record.canary->share));
    }
    const bool had_other = before.canary && before.canary->number != number &&
                           (!record.canary || record.canary->number != before.canary->number);
    if (had_other || (before.canary && !record.canary && record.live == live_before)) {
      change.dropped = before.canary->number;
    }
    return change;
  }
  return fail("{}: others have deployed it {} times meanwhile; try again", name, kTriesMax);
}

Result<Deployments::Change> Deployments::deploy(const std::string& name, const Files& files,
                                                const std::optional<CanaryShare>& share,
                                                const ObjectStore::OnProgress& on_progress) {
  DeployedRevision revision = revision_of(files, "deployed");
  return change(name, IfMissing::adopt, [&](DeploymentRecord& record) -> Result<std::uint64_t> {
    if (share && record.revisions.empty()) {
      return fail("{}: is not there yet, so there is nothing to be a canary of; deploy it first",
                  name);
    }
    TRY(check_shared(record, files));
    TRY(keep(name, files, on_progress));
    revision.number = next_number(record);
    record.revisions.push_back(revision);
    record.canary.reset();
    if (share) {
      record.canary = {.number = revision.number, .share = *share};
    } else {
      record.go_on_to(revision.number);
    }
    return revision.number;
  });
}

Result<Deployments::Change> Deployments::set_canary(const std::string& name,
                                                    const NewShare& share) {
  return change(name, IfMissing::fail, [&](DeploymentRecord& record) -> Result<std::uint64_t> {
    if (!share.number && !record.canary) {
      return fail("{}: has no canary; funcd deploy --canary or --revision makes one", name);
    }
    const std::uint64_t number = share.number ? *share.number : record.canary->number;
    if (record.find(number) == nullptr) {
      return fail("{}: there is no revision {}; funcd revisions {} lists them", name, number, name);
    }
    if (number == record.live) {
      return fail("{}: revision {} is live, and cannot be its own canary", name, number);
    }
    std::string sticky = record.canary ? record.canary->share.sticky : "none";
    if (share.sticky) sticky = *share.sticky;
    record.canary = {.number = number, .share = {.weight = share.weight, .sticky = sticky}};
    return number;
  });
}

Result<Deployments::Change> Deployments::promote(const std::string& name) {
  return change(name, IfMissing::fail, [&](DeploymentRecord& record) -> Result<std::uint64_t> {
    if (!record.canary) {
      return fail("{}: has no canary that funcd deploy has made, so there is nothing to promote",
                  name);
    }
    record.go_on_to(record.canary->number);
    record.canary.reset();
    return record.live;
  });
}

Result<Deployments::Change> Deployments::roll_back(const std::string& name,
                                                   std::optional<std::uint64_t> number) {
  return change(name, IfMissing::fail, [&](DeploymentRecord& record) -> Result<std::uint64_t> {
    // Of an earlier rollback that was cut short, the canary may still be there.
    const std::optional<std::uint64_t> left =
        record.canary ? record.canary->number : TRY(find_left_canary(record));
    record.canary.reset();
    if (!number && left) return record.live;
    const auto wanted = number ? number : record.previous();
    if (!wanted) return fail("{}: there is no revision before {} that was live", name, record.live);
    if (record.find(*wanted) == nullptr) {
      return fail("{}: there is no revision {}; funcd revisions {} lists them", name, *wanted,
                  name);
    }
    if (*wanted != record.live) record.go_back_to(*wanted);
    return *wanted;
  });
}

// Brings the files to what the record says. Whoever comes last does it for the last one, whatever
// order the writes of several had. The function's are left alone where only its canary has changed.
Result<> Deployments::publish(const std::string& name, bool has_moved) {
  for (int tries = 0; tries < kTriesMax; ++tries) {
    const auto record = TRY(read(name));
    if (!record) return fail("{}: its record is gone", name);
    if (has_moved) TRY(publish_function(*record));
    if (record->canary) TRY(publish_canary(*record));
    // Last, so that nobody is without what he met until what follows it is there.
    TRY(remove_canaries(*record));
    const auto after = TRY(read(name));
    if (after && after->live == record->live && after->canary == record->canary) return {};
    has_moved = true;
  }
  return fail("{}: it is recorded, and others deploy all the time; look at the function", name);
}

Result<Deployments::Files> Deployments::content_of(const std::string& name,
                                                   const DeployedRevision& revision) {
  Files files;
  for (const DeployedFile& file : revision.files) {
    auto stored = TRY(store_.get(folder_of(name) + file.sha256, kFileBytesMax));
    if (!stored || sha256_hex(stored->bytes) != file.sha256) {
      return fail("{}{}: the content of revision {} is {}; deploy it again", folder_of(name),
                  file.sha256, revision.number, stored ? "damaged" : "gone");
    }
    files.push_back({file.path, std::move(stored->bytes)});
  }
  return files;
}

Result<> Deployments::publish_function(const DeploymentRecord& record) {
  const DeployedRevision& revision = *record.find(record.live);
  const std::string sidecar = record.function + std::string(kSidecarSuffix);
  Files files = TRY(content_of(record.function, revision));
  // Without a sidecar the one before would stay: an empty one says the same as none.
  if (revision.sidecar() == nullptr && TRY(store_.get(sidecar, kFileBytesMax))) {
    files.insert(std::prev(files.end()), {sidecar, {}});
  }
  return store_.publish(files);
}

Result<> Deployments::publish_canary(const DeploymentRecord& record) {
  const DeployedCanary& canary = *record.canary;
  const DeployedRevision& revision = *record.find(canary.number);
  Files files = TRY(content_of(record.function, revision));
  if (revision.sidecar() == nullptr) {
    files.insert(std::prev(files.end()), {record.function + std::string(kSidecarSuffix), {}});
  }
  auto& sidecar = files[files.size() - 2].bytes;
  const std::string text = canary_sidecar(text_of(sidecar), canary.share);
  sidecar.assign(text.begin(), text.end());
  for (auto& file : files) file.path = canary_path(file.path, canary.number);
  return store_.publish(files);
}

// Those that were deployed and are none any more. What somebody has put there by hand stays.
Result<> Deployments::remove_canaries(const DeploymentRecord& record) {
  const auto there = TRY(store_.list(record.function + "@"));
  for (const std::string& path : there) {
    const bool is_module = path.ends_with(kModuleSuffix);
    const auto number =
        number_in(path, record.function, is_module ? kModuleSuffix : kSidecarSuffix);
    if (!number || (record.canary && record.canary->number == *number)) continue;
    const DeployedRevision* revision = record.find(*number);
    if (revision == nullptr) continue;
    const std::string module = canary_path(revision->module().path, *number);
    if (is_module) {
      const auto stored = TRY(store_.get(path, kFileBytesMax));
      if (!stored || sha256_hex(stored->bytes) != revision->module().sha256) continue;
    } else if (std::ranges::find(there, module) != there.end()) {
      continue;  // goes with its module, or stays with it
    }
    // The module first: without its sidecar it would be another one.
    TRY(store_.remove(module));
    for (const DeployedFile& file : revision->files) {
      TRY(store_.remove(canary_path(file.path, *number)));
    }
    TRY(store_.remove(canary_path(record.function + std::string(kSidecarSuffix), *number)));
  }
  return {};
}

Result<> Deployments::prune(const DeploymentRecord& before, const DeploymentRecord& after) {
  std::set<std::string> kept;
  for (const DeployedRevision& revision : after.revisions) {
    for (const DeployedFile& file : revision.files) kept.insert(file.sha256);
  }
  for (const DeployedRevision& revision : before.revisions) {
    for (const DeployedFile& file : revision.files) {
      if (!kept.contains(file.sha256)) TRY(store_.remove(folder_of(after.function) + file.sha256));
    }
  }
  return {};
}

}  // namespace funcd::source
