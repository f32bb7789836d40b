#include "source/deployments.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"

namespace funcd::source {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kRecordBytesMax = 4ULL << 20;
constexpr std::uint64_t kFileBytesMax = 256ULL << 20;
// How often somebody else may be faster.
constexpr int kTriesMax = 20;

std::string folder_of(const std::string& name) {
  return fmt::format(".funcd/{}/", name);
}
std::string record_path(const std::string& name) {
  return folder_of(name) + "revisions.json";
}

std::string now_text() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm time{};
  ::gmtime_r(&now, &time);
  std::string text(32, '\0');
  text.resize(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &time));
  return text;
}

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Json json_of(const DeploymentRecord& record) {
  Json revisions = Json::array();
  for (const DeployedRevision& revision : record.revisions) {
    Json files = Json::array();
    for (const DeployedFile& file : revision.files) {
      files.push_back({{"path", file.path}, {"sha256", file.sha256}, {"bytes", file.bytes}});
    }
    revisions.push_back({{"number", revision.number},
                         {"at", revision.at},
                         {"note", revision.note},
                         {"files", std::move(files)}});
  }
  return {{"function", record.function}, {"live", record.live}, {"revisions", revisions}};
}

// Throws nlohmann's exceptions.
DeploymentRecord record_of(const Json& json) {
  DeploymentRecord record;
  record.function = json.at("function").get<std::string>();
  record.live = json.at("live").get<std::uint64_t>();
  for (const Json& item : json.at("revisions")) {
    DeployedRevision revision;
    revision.number = item.at("number").get<std::uint64_t>();
    revision.at = item.at("at").get<std::string>();
    revision.note = item.at("note").get<std::string>();
    for (const Json& file : item.at("files")) {
      revision.files.push_back({.path = file.at("path").get<std::string>(),
                                .sha256 = file.at("sha256").get<std::string>(),
                                .bytes = file.at("bytes").get<std::uint64_t>()});
    }
    record.revisions.push_back(std::move(revision));
  }
  return record;
}

bool is_sound(const DeploymentRecord& record, const std::string& name) {
  if (record.function != name || record.revisions.empty() || !record.find(record.live))
    return false;
  return std::ranges::all_of(record.revisions, [&name](const DeployedRevision& revision) {
    if (revision.files.empty() || revision.module().path != name + ".wasm") return false;
    return std::ranges::all_of(revision.files, [](const DeployedFile& file) {
      return file.sha256.size() == 64 && file.path.find("..") == std::string::npos &&
             file.path.find_first_of("/\\") != 0;
    });
  });
}

DeployedRevision revision_of(const Deployments::Files& files, std::string note) {
  DeployedRevision revision{.number = 1, .at = now_text(), .note = std::move(note), .files = {}};
  for (const auto& file : files) {
    revision.files.push_back({file.path, sha256_hex(file.bytes), file.bytes.size()});
  }
  return revision;
}

}  // namespace

std::string DeployedRevision::sidecar_digest() const {
  const auto found = std::ranges::find_if(
      files, [](const DeployedFile& file) { return file.path.ends_with(".toml"); });
  return found == files.end() ? "" : found->sha256;
}

const DeployedRevision* DeploymentRecord::find(std::uint64_t number) const {
  const auto found = std::ranges::find(revisions, number, &DeployedRevision::number);
  return found == revisions.end() ? nullptr : &*found;
}

Result<Deployments::Versioned> Deployments::read_versioned(const std::string& name) {
  const std::string path = record_path(name);
  const auto stored = TRY(store_.get(path, kRecordBytesMax));
  if (!stored) return Versioned();
  try {
    auto record = record_of(Json::parse(stored->bytes.begin(), stored->bytes.end()));
    if (is_sound(record, name)) return Versioned{std::move(record), stored->version};
  } catch (const Json::exception&) {
    // Told below.
  }
  return fail("{}: is no record of revisions; remove it to begin a new one", path);
}

Result<std::optional<DeploymentRecord>> Deployments::read(const std::string& name) {
  return TRY(read_versioned(name)).record;
}

Result<bool> Deployments::write(const DeploymentRecord& record, const std::string& version) {
  return store_.put_if(record_path(record.function), bytes_of(json_of(record).dump(1) + "\n"),
                       version);
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

// What lies there before the first deployment is the first revision, so that there is a way back.
Result<DeploymentRecord> Deployments::adopt(const std::string& name) {
  DeploymentRecord record{.function = name, .live = 0, .revisions = {}};
  auto module = TRY(store_.get(name + ".wasm", kFileBytesMax));
  if (!module) return record;
  Files files;
  if (auto sidecar = TRY(store_.get(name + ".toml", kFileBytesMax))) {
    files.push_back({name + ".toml", std::move(sidecar->bytes)});
  }
  files.push_back({name + ".wasm", std::move(module->bytes)});
  TRY(keep(name, files, nullptr));
  record.revisions.push_back(revision_of(files, "found"));
  record.live = 1;
  return record;
}

Result<DeployedRevision> Deployments::deploy(const std::string& name, const Files& files,
                                             const ObjectStore::OnProgress& on_progress) {
  DeployedRevision revision = revision_of(files, "deployed");
  TRY(keep(name, files, on_progress));
  for (int tries = 0; tries < kTriesMax; ++tries) {
    Versioned known = TRY(read_versioned(name));
    const DeploymentRecord before = known.record ? std::move(*known.record) : TRY(adopt(name));
    DeploymentRecord record = before;
    revision.number = record.revisions.empty() ? 1 : record.revisions.back().number + 1;
    record.revisions.push_back(revision);
    record.live = revision.number;
    while (record.revisions.size() > kRevisionsMax) {
      record.revisions.erase(record.revisions.begin());
    }
    if (!TRY(write(record, known.version))) continue;
    TRY(publish(name, revision.number));
    TRY(prune(before, record));
    return revision;
  }
  return fail("{}: others have deployed it {} times meanwhile; try again", name, kTriesMax);
}

Result<DeployedRevision> Deployments::roll_back(const std::string& name,
                                                std::optional<std::uint64_t> number) {
  for (int tries = 0; tries < kTriesMax; ++tries) {
    Versioned known = TRY(read_versioned(name));
    if (!known.record) {
      return fail("{}: has no revisions; those are kept that were deployed with funcd deploy",
                  name);
    }
    DeploymentRecord& record = *known.record;
    const auto live = std::ranges::find(record.revisions, record.live, &DeployedRevision::number);
    if (!number && live == record.revisions.begin()) {
      return fail("{}: there is no revision before {}", name, record.live);
    }
    const std::uint64_t wanted = number ? *number : std::prev(live)->number;
    const DeployedRevision* found = record.find(wanted);
    if (found == nullptr) {
      return fail("{}: there is no revision {}; funcd revisions {} lists them", name, wanted, name);
    }
    const DeployedRevision revision = *found;
    record.live = wanted;
    if (!TRY(write(record, known.version))) continue;
    TRY(publish(name, wanted));
    return revision;
  }
  return fail("{}: others have deployed it {} times meanwhile; try again", name, kTriesMax);
}

// Puts the files of the live revision into their places. Whoever comes last does it for the last
// one, whatever order the writes of several had.
Result<> Deployments::publish(const std::string& name, std::uint64_t number) {
  for (int tries = 0; tries < kTriesMax; ++tries) {
    const auto record = TRY(read(name));
    if (!record) return fail("{}: its record is gone", name);
    const DeployedRevision& revision = *record->find(record->live);
    Files files;
    for (const DeployedFile& file : revision.files) {
      auto stored = TRY(store_.get(folder_of(name) + file.sha256, kFileBytesMax));
      if (!stored || sha256_hex(stored->bytes) != file.sha256) {
        return fail("{}{}: the content of revision {} is {}; deploy it again", folder_of(name),
                    file.sha256, revision.number, stored ? "damaged" : "gone");
      }
      files.push_back({file.path, std::move(stored->bytes)});
    }
    // Without a sidecar the one before would stay: an empty one says the same as none.
    if (revision.sidecar_digest().empty() && TRY(store_.get(name + ".toml", kFileBytesMax))) {
      files.insert(std::prev(files.end()), {name + ".toml", {}});
    }
    TRY(store_.publish(files));
    const auto after = TRY(read(name));
    if (after && after->live == record->live) return {};
  }
  return fail("{}: revision {} is recorded, and others deploy all the time; look at the function",
              name, number);
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
