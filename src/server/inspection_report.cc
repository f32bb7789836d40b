#include "server/inspection_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "registry/manifest.h"
#include "server/admin_json.h"
#include "server/units.h"

namespace funcd::server {
namespace {

using Json = nlohmann::ordered_json;

// It is in memory, as nothing was unloaded since it was looked at.
const engine::Program& program_of(const registry::Revision& revision) {
  const auto pin = revision.program->pin();
  CHECK(pin, "{}", revision.function->name);
  return *pin;
}

Json extern_json(const engine::Extern& item, bool is_import) {
  Json json = Json::object();
  if (is_import) json["module"] = item.module;
  json["name"] = item.name;
  json["type"] = item.type;
  return json;
}

Json file_json(const FileInspection& file) {
  Json json = {{"path", file.path},
               {"is_served", file.revision != nullptr && file.reason.empty()},
               {"reason", file.reason.empty() ? Json() : Json(file.reason)},
               {"artifact_bytes", file.artifact_bytes}};
  if (!file.functions_folder.empty()) json["functions_folder"] = file.functions_folder;
  if (file.revision == nullptr) return json;
  const auto& revision = *file.revision;
  json["function"] = revision.function->title;
  json["contract"] = std::string(name_of(revision.contract));
  json["route"] = revision.route;
  json["host"] = revision.manifest.host.empty() ? Json() : Json(revision.manifest.host);
  json["methods"] = revision.manifest.methods;
  json["limits"] = limits_json(revision.manifest.limits);
  json["reuse"] = revision.manifest.reuse;
  json["digest"] = revision.digest;
  const auto& program = program_of(revision);
  json["memory_bytes_min"] = program.memory_bytes_min();
  json["memory_bytes_max"] =
      program.memory_bytes_max() ? Json(*program.memory_bytes_max()) : Json();
  json["snapshot"] = snapshot_json(revision);
  if (const auto& smoke = revision.manifest.smoke) {
    json["smoke"] = {{"path", smoke->path}, {"expect_status", smoke->expect_status}};
  }
  json["outbound"] = Json::array();
  for (const auto& rule : revision.manifest.outbound.allow)
    json["outbound"].push_back(engine::text_of(rule));
  json["imports"] = Json::array();
  for (const auto& item : program.imports()) json["imports"].push_back(extern_json(item, true));
  json["exports"] = Json::array();
  for (const auto& item : program.exports()) json["exports"].push_back(extern_json(item, false));
  return json;
}

void add_line(std::string& text, std::string_view label, std::string_view value) {
  if (!value.empty()) text += fmt::format("  {:<10}{}\n", label, value);
}

// One line for each module that is imported from.
void add_imports(std::string& text, const engine::Program& program) {
  if (program.kind() != engine::ProgramKind::module) {
    for (const auto& item : program.imports()) add_line(text, "imports", item.module);
    return;
  }
  std::vector<std::string> modules;
  for (const auto& item : program.imports()) {
    if (std::ranges::find(modules, item.module) == modules.end()) modules.push_back(item.module);
  }
  for (const auto& module : modules) {
    std::vector<std::string_view> names;
    for (const auto& item : program.imports()) {
      const bool is_new = std::ranges::find(names, item.name) == names.end();
      if (item.module == module && is_new) names.push_back(item.name);
    }
    add_line(text, "imports", fmt::format("{}: {}", module, fmt::join(names, ", ")));
  }
}

std::string exports_of(const engine::Program& program) {
  std::vector<std::string_view> names;
  for (const auto& item : program.exports()) names.push_back(item.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string memory_of(const engine::Program& program) {
  // A component's are those of the modules in it, which it does not show.
  if (program.kind() != engine::ProgramKind::module) return {};
  const auto max = program.memory_bytes_max();
  return fmt::format("{} at the start{}", registry::format_size(program.memory_bytes_min()),
                     max ? fmt::format(", {} at the most", registry::format_size(*max)) : "");
}

std::string outbound_of(const registry::Manifest& manifest) {
  std::vector<std::string> rules;
  for (const auto& rule : manifest.outbound.allow) rules.push_back(engine::text_of(rule));
  return fmt::format("{}", fmt::join(rules, ", "));
}

std::string limits_of(const registry::Limits& limits) {
  return fmt::format(
      "timeout {}, memory {}, request body {}, response body {}, stderr {}, concurrency {}",
      registry::format_duration(limits.timeout), registry::format_size(limits.memory_bytes),
      registry::format_size(limits.request_body_bytes),
      registry::format_size(limits.response_body_bytes), registry::format_size(limits.stderr_bytes),
      limits.concurrency);
}

std::string mounts_of(const registry::Revision& revision) {
  std::vector<std::string> mounts;
  for (const auto& mount : revision.mounts) {
    mounts.push_back(fmt::format("{} as {}{}", mount.host, mount.guest,
                                 mount.is_writable ? ", writable" : ", read only"));
  }
  return fmt::format("{}", fmt::join(mounts, "; "));
}

std::string env_of(const registry::Manifest& manifest) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : manifest.env) names.push_back(name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string snapshot_of(const FileInspection& file) {
  const registry::Revision& revision = *file.revision;
  const registry::SnapshotUse& use = revision.snapshot;
  if (!use.is_wanted) {
    if (!file.could_snapshot) return {};
    return fmt::format("none; what one would gain: funcd snapshot --warm {}", file.path);
  }
  if (!use.is_used) return fmt::format("not used: {}", use.reason);
  const auto asked = engine::names_of(revision.program->facts().asked_before);
  if (asked.empty()) return "used";
  return fmt::format("used; before it, it has asked for: {}", fmt::join(asked, ", "));
}

// Whom an instance answers.
std::string instances_of(const registry::Revision& revision) {
  const registry::Manifest& manifest = revision.manifest;
  if (manifest.reuse > 1) return fmt::format("one for up to {} requests", manifest.reuse);
  if (manifest.mounts.empty() && program_of(revision).is_renewable())
    return "one for each request, fresh or as good as new";
  return "a fresh one for each request";
}

}  // namespace

Json inspection_json(const std::vector<FileInspection>& files) {
  Json json = {{"files", Json::array()}};
  for (const auto& file : files) json["files"].push_back(file_json(file));
  return json;
}

std::string verdict_of(const FileInspection& file) {
  if (!file.reason.empty()) return fmt::format("{}: not served: {}\n", file.path, file.reason);
  if (file.revision == nullptr) return fmt::format("{}: not served\n", file.path);
  return fmt::format("{}: served at {}{}\n", file.path, file.revision->manifest.host,
                     file.revision->route);
}

std::string inspection_text(const FileInspection& file) {
  auto text = verdict_of(file);
  if (file.is_folder_assumed) {
    add_line(text, "folder",
             fmt::format("{}, where the file lies, taken for that of functions; --source names "
                         "another",
                         file.functions_folder));
  }
  if (file.revision == nullptr) return text;
  const auto& revision = *file.revision;
  const auto& manifest = revision.manifest;
  add_line(text, "function", revision.function->title);
  add_line(text, "contract", name_of(revision.contract));
  add_line(text, "methods",
           manifest.methods.empty() ? std::string("all")
                                    : fmt::format("{}", fmt::join(manifest.methods, ", ")));
  add_line(text, "artifact",
           fmt::format("{}, SHA-256 {}", approximate_size(file.artifact_bytes), revision.digest));
  add_imports(text, program_of(revision));
  add_line(text, "exports", exports_of(program_of(revision)));
  add_line(text, "memory", memory_of(program_of(revision)));
  add_line(text, "snapshot", snapshot_of(file));
  add_line(text, "limits", limits_of(manifest.limits));
  add_line(text, "instances", instances_of(revision));
  add_line(text, "env", env_of(manifest));
  add_line(text, "mounts", mounts_of(revision));
  add_line(text, "outbound", outbound_of(manifest));
  if (manifest.smoke) {
    add_line(text, "smoke",
             fmt::format("GET {}: status {}", manifest.smoke->path, manifest.smoke->expect_status));
  }
  return text;
}

}  // namespace funcd::server
