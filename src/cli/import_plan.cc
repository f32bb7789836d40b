#include "cli/import_plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "registry/folder_scan.h"
#include "registry/manifest.h"
#include "registry/names.h"
#include "registry/route.h"

namespace funcd::cli {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"wagi", "wws", "spin"};
constexpr std::array<std::string_view, 3> kTitles = {"Wagi", "wasm-workers-server", "Spin"};

// Beside such a module the sidecar would be the server's own configuration.
constexpr std::string_view kConfigStem = "funcd";

// Between quotes, as TOML reads it (TOML 1.0, "basic strings").
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string key_of(std::string_view text) {
  // What TOML takes without quotes are the characters of names.
  const bool is_bare =
      !text.empty() && std::all_of(text.begin(), text.end(), registry::is_name_char);
  return is_bare ? std::string(text) : quoted(text);
}

std::string servable_segment(std::string_view text) {
  std::string out;
  for (const char c : text) out += registry::is_name_char(c) ? c : '-';
  const auto first = out.find_first_not_of('-');
  if (first == std::string::npos) return "function";
  return out.substr(first, out.find_last_not_of('-') - first + 1);
}

// "api/users", "api/users-2", ...: the first that no other function has.
std::string own_name(const std::string& wanted, const std::set<std::string>& taken) {
  std::string name = wanted;
  for (int number = 2; taken.contains(name); ++number) name = fmt::format("{}-{}", wanted, number);
  return name;
}

void give_names(ImportPlan& plan) {
  std::set<std::string> taken;
  for (ImportFunction& function : plan.functions) {
    const bool is_good = !registry::name_problem(function.name) && function.name != kConfigStem &&
                         !function.name.starts_with(fmt::format("{}/", registry::kPublicFolder));
    std::string name = own_name(is_good ? function.name : servable_name(function.name), taken);
    taken.insert(name);
    function.name = std::move(name);
  }
}

// "/x/..." of Wagi and of Spin meets /x as well, "/x/*" here does not: a function of its own does,
// unless the project has one for it.
void add_roots(ImportPlan& plan) {
  const std::size_t count = plan.functions.size();
  for (std::size_t i = 0; i < count; ++i) {
    ImportFunction root = plan.functions[i];
    if (plan.format == ImportFormat::wws || !root.route.ends_with("/*") || root.route == "/*") {
      continue;
    }
    root.route.resize(root.route.size() - 2);
    const bool is_taken = std::ranges::any_of(plan.functions, [&](const ImportFunction& other) {
      return other.host == root.host && other.route == root.route;
    });
    if (!is_taken) plan.functions.push_back(std::move(root));
  }
}

// One file for each path; that it was asked for twice is no mistake.
Result<> merge_files(ImportPlan& plan) {
  std::map<std::string, const ImportFile*> known;
  std::vector<ImportFile> merged;
  for (const ImportFile& file : plan.files) {
    const auto [place, is_new] = known.emplace(file.path, &file);
    if (is_new) {
      merged.push_back(file);
    } else if (place->second->source != file.source || place->second->text != file.text) {
      return fail("{}: two files are to be there, {} and {}; rename one of them", file.path,
                  place->second->source, file.source);
    }
  }
  plan.files = std::move(merged);
  return {};
}

Result<> check_routes(const ImportPlan& plan) {
  std::map<std::pair<std::string, std::string>, const ImportFunction*> taken;
  for (const ImportFunction& function : plan.functions) {
    const auto segments = registry::parse_route(function.route);
    if (!segments) return fail("{}: {}", function.from, segments.error().message);
    const auto [place, is_new] =
        taken.emplace(std::pair(function.host, registry::shape_of(*segments)), &function);
    if (!is_new) {
      return fail("route {} is that of two functions, {} and {}; give one of them another",
                  function.route, place->second->from, function.from);
    }
  }
  return {};
}

}  // namespace

std::string_view name_of(ImportFormat format) {
  return kNames[static_cast<std::size_t>(format)];
}

std::string_view title_of(ImportFormat format) {
  return kTitles[static_cast<std::size_t>(format)];
}

std::string servable_name(std::string_view text) {
  std::string name;
  int depth = 0;
  while (!text.empty()) {
    const auto slash = text.find('/');
    const std::string_view segment = text.substr(0, slash);
    text.remove_prefix(slash == std::string_view::npos ? text.size() : slash + 1);
    if (segment.empty()) continue;
    // What is deeper than a folder is looked at becomes part of the file's name.
    if (!name.empty()) name += ++depth < registry::kFolderDepthMax ? '/' : '-';
    name += servable_segment(segment);
  }
  if (name.empty()) return "function";
  const bool is_reserved =
      name == kConfigStem || name.starts_with(fmt::format("{}/", registry::kPublicFolder));
  return is_reserved ? "function-" + name : name;
}

std::string sidecar_of(const ImportFunction& function) {
  std::string text;
  if (!function.contract.empty()) {
    text += fmt::format("contract = {}\n", quoted(function.contract));
  }
  if (registry::route_of_name(function.name) != function.route) {
    text += fmt::format("route = {}\n", quoted(function.route));
  }
  if (!function.host.empty()) text += fmt::format("host = {}\n", quoted(function.host));
  if (!function.env.empty()) text += "\n[env]\n";
  for (const auto& [name, value] : function.env) {
    text += fmt::format("{} = {}\n", key_of(name), quoted(value));
  }
  if (function.kv_namespace) {
    text += fmt::format("\n[kv]\nnamespace = {}\n", quoted(*function.kv_namespace));
  }
  if (!function.outbound.empty()) {
    std::vector<std::string> rules;
    for (const std::string& rule : function.outbound) rules.push_back(quoted(rule));
    text += fmt::format("\n[outbound]\nallow = [{}]\n", fmt::join(rules, ", "));
  }
  for (const ImportMount& mount : function.mounts) {
    text += fmt::format("\n[[mounts]]\nhost = {}\nguest = {}\n", quoted(mount.host),
                        quoted(mount.guest));
    if (mount.is_writable) text += "writable = true\n";
  }
  return text.starts_with('\n') ? text.substr(1) : text;
}

Result<> complete(ImportPlan& plan) {
  if (plan.functions.size() > kImportFunctionsMax) {
    return fail("{}: has {} functions, more than the {} that are read", plan.source,
                plan.functions.size(), kImportFunctionsMax);
  }
  TRY(check_routes(plan));
  add_roots(plan);
  give_names(plan);
  for (ImportFunction& function : plan.functions) {
    const std::string sidecar = function.name + ".toml";
    function.files = {function.name + ".wasm"};
    std::string text = sidecar_of(function);
    // Variables and hosts come from outside; what no server reads must not be written.
    const auto read = registry::parse_manifest(text, sidecar, {}, {});
    if (!read) return fail("{}: {}", function.from, read.error().message);
    if (!text.empty()) {
      plan.files.push_back({.path = sidecar, .source = {}, .text = std::move(text)});
      function.files.push_back(sidecar);
    }
    plan.files.push_back({.path = function.name + ".wasm", .source = function.wasm, .text = {}});
  }
  return merge_files(plan);
}

}  // namespace funcd::cli
