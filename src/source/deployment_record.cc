#include "source/deployment_record.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace funcd::source {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const DeployedRevision& revision) {
  Json files = Json::array();
  for (const DeployedFile& file : revision.files) {
    files.push_back({{"path", file.path}, {"sha256", file.sha256}, {"bytes", file.bytes}});
  }
  return {{"number", revision.number},
          {"at", revision.at},
          {"note", revision.note},
          {"files", std::move(files)}};
}

// These throw nlohmann's exceptions.
DeployedRevision revision_of(const Json& json) {
  DeployedRevision revision;
  revision.number = json.at("number").get<std::uint64_t>();
  revision.at = json.at("at").get<std::string>();
  revision.note = json.at("note").get<std::string>();
  for (const Json& file : json.at("files")) {
    revision.files.push_back({.path = file.at("path").get<std::string>(),
                              .sha256 = file.at("sha256").get<std::string>(),
                              .bytes = file.at("bytes").get<std::uint64_t>()});
  }
  return revision;
}
DeploymentRecord record_of(const Json& json) {
  DeploymentRecord record;
  record.function = json.at("function").get<std::string>();
  record.live = json.at("live").get<std::uint64_t>();
  const Json canary = json.value("canary", Json());
  if (!canary.is_null()) {
    record.canary = {.number = canary.at("number").get<std::uint64_t>(),
                     .share = {.weight = canary.at("weight").get<std::string>(),
                               .sticky = canary.at("sticky").get<std::string>()}};
  }
  for (const Json& item : json.at("revisions")) record.revisions.push_back(revision_of(item));
  if (const auto history = json.find("history"); history != json.end()) {
    record.history = history->get<std::vector<std::uint64_t>>();
  } else {  // written before there was one
    for (const DeployedRevision& revision : record.revisions) {
      if (revision.number < record.live) record.history.push_back(revision.number);
    }
  }
  return record;
}

// It goes into a sidecar as it is.
bool is_plain(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\\';
  });
}

bool is_sound(const DeploymentRecord& record, const std::string& name) {
  if (record.function != name || record.revisions.empty() || !record.find(record.live))
    return false;
  if (record.canary) {
    const DeployedCanary& canary = *record.canary;
    if (canary.number == record.live || !record.find(canary.number) ||
        !is_plain(canary.share.weight) || !is_plain(canary.share.sticky))
      return false;
  }
  return std::ranges::all_of(record.revisions, [&name](const DeployedRevision& revision) {
    if (revision.files.empty() || revision.module().path != name + ".wasm") return false;
    return std::ranges::all_of(revision.files, [](const DeployedFile& file) {
      return file.sha256.size() == 64 && file.path.find("..") == std::string::npos &&
             file.path.find_first_of("/\\") != 0;
    });
  });
}

}  // namespace

const DeployedFile* DeployedRevision::sidecar() const {
  const auto found = std::ranges::find_if(
      files, [](const DeployedFile& file) { return file.path.ends_with(".toml"); });
  return found == files.end() ? nullptr : &*found;
}

const DeployedRevision* DeploymentRecord::find(std::uint64_t number) const {
  const auto found = std::ranges::find(revisions, number, &DeployedRevision::number);
  return found == revisions.end() ? nullptr : &*found;
}

void DeploymentRecord::go_on_to(std::uint64_t number) {
  if (live != 0) history.push_back(live);
  live = number;
}

void DeploymentRecord::go_back_to(std::uint64_t number) {
  const auto last = std::find(history.rbegin(), history.rend(), number);
  if (last == history.rend()) return go_on_to(number);
  history.erase(std::prev(last.base()), history.end());
  live = number;
}

std::optional<std::uint64_t> DeploymentRecord::previous() const {
  const auto found = std::find_if(history.rbegin(), history.rend(), [this](std::uint64_t number) {
    return number != live && find(number) != nullptr;
  });
  if (found == history.rend()) return std::nullopt;
  return *found;
}

std::string text_of(const DeploymentRecord& record) {
  Json revisions = Json::array();
  for (const DeployedRevision& revision : record.revisions) revisions.push_back(json_of(revision));
  Json json = {{"function", record.function}, {"live", record.live}, {"canary", nullptr}};
  if (record.canary) {
    json["canary"] = {{"number", record.canary->number},
                      {"weight", record.canary->share.weight},
                      {"sticky", record.canary->share.sticky}};
  }
  json["history"] = record.history;
  json["revisions"] = std::move(revisions);
  return json.dump(1) + "\n";
}

Result<DeploymentRecord> parse_record(std::string_view text, const std::string& name) {
  try {
    auto record = record_of(Json::parse(text));
    if (is_sound(record, name)) return record;
  } catch (const Json::exception&) {
    // Told below.
  }
  return fail("is no record of revisions; remove it to begin a new one");
}

std::string canary_path(std::string_view path, std::uint64_t number) {
  const std::size_t dot = std::min(path.find('.', path.rfind('/') + 1), path.size());
  return fmt::format("{}@{}{}", path.substr(0, dot), number, path.substr(dot));
}

std::string canary_sidecar(std::string_view text, const CanaryShare& share) {
  const bool is_open = !text.empty() && !text.ends_with('\n');
  return fmt::format("{}{}[canary]\nweight = \"{}\"\nsticky = \"{}\"\n", text, is_open ? "\n" : "",
                     share.weight, share.sticky);
}

}  // namespace funcd::source
