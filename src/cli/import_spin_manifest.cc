#include "cli/import_spin_manifest.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/text.h"
#include "registry/toml_table.h"

namespace funcd::cli {
namespace {

// As Spin's own provider of variables names them.
std::string environment_name(std::string_view name) {
  std::string upper = "SPIN_VARIABLE_";
  for (const char c : name) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

}  // namespace

Result<std::string> SpinVariables::expand(std::string_view text) const {
  std::string out;
  while (true) {
    const auto open = text.find("{{");
    out += text.substr(0, open);
    if (open == std::string_view::npos) return out;
    const auto close = text.find("}}", open);
    if (close == std::string_view::npos) return fail("'{}' has a {{{{ without }}}}", text);
    const std::string_view name = trimmed(text.substr(open + 2, close - open - 2));
    const auto found = std::ranges::find(variables, name, &Variable::name);
    if (found == variables.end()) return fail("there is no variable '{}'", name);
    if (!found->value) {
      return fail("variable '{}' has no default, and {} is not set", name, environment_name(name));
    }
    out += *found->value;
    text.remove_prefix(close + 2);
  }
}

Result<> read_spin_variables(const toml::node& node, std::string_view file,
                             SpinVariables& variables) {
  return registry::TomlTable(*TRY(registry::table_of(node)), "variables", file)
      .read_all([&](std::string_view name, const toml::node& value) -> Result<> {
        SpinVariables::Variable variable;
        variable.name = name;
        std::string text;
        const toml::table& table = *TRY(registry::table_of(value));
        TRY(registry::TomlTable(table, "variables", file)
                .read({{"default", into(text)},
                       {"required", pass_over},
                       {"secret", pass_over},
                       {"description", pass_over}}));
        if (table.contains("default")) variable.value = text;
        const char* set = std::getenv(environment_name(name).c_str());
        if (set != nullptr) variable.value = set;
        variables.variables.push_back(std::move(variable));
        return {};
      });
}

Result<> read_spin_source(const toml::node& node, std::string_view file, SpinComponent& component) {
  if (node.is_string()) {
    component.source = TRY(registry::string_of(node));
    if (component.source.empty()) return fail("is empty");
    return {};
  }
  std::string url;
  std::string package;
  const toml::table* const fields = TRY(registry::table_of(node));
  TRY(registry::TomlTable(*fields, "source", file)
          .read({{"url", into(url)},
                 {"digest", pass_over},
                 {"registry", pass_over},
                 {"package", into(package)},
                 {"version", pass_over},
                 {"reference", into(package)},
                 {"parcel", pass_over}}));
  component.remote = url.empty() ? package : url;
  if (component.remote.empty()) return fail("names neither a path nor a url nor a package");
  return {};
}

Result<> read_spin_files(const toml::node& node, std::string_view file, SpinComponent& component) {
  for (const toml::node& item : *TRY(registry::array_of(node))) {
    SpinFiles files;
    if (item.is_string()) {
      files.pattern = TRY(registry::string_of(item));
    } else {
      const toml::table* const fields = TRY(registry::table_of(item));
      TRY(registry::TomlTable(*fields, "files", file)
              .read({{"source", into(files.source)}, {"destination", into(files.destination)}}));
      if (files.source.empty() || !files.destination.starts_with('/')) {
        return fail("{}: expected a source and an absolute destination", place_of(file, item));
      }
    }
    component.files.push_back(std::move(files));
  }
  return {};
}

Result<> read_spin_executor(const toml::node& node, std::string_view file, SpinTrigger& trigger) {
  std::string type;
  const toml::table* const fields = TRY(registry::table_of(node));
  TRY(registry::TomlTable(*fields, "executor", file)
          .read({{"type", into(type)},
                 {"entrypoint", into(trigger.executor.entrypoint)},
                 {"argv", into(trigger.executor.argv)}}));
  trigger.executor.is_wagi = type == "wagi";
  if (type == "wagi" || type == "spin" || type == "http" || type.starts_with("wasi")) return {};
  return fail("no executor is named '{}'; there are http, wagi", type);
}

std::string joined_route(std::string_view base, std::string_view route) {
  while (base.ends_with('/')) base.remove_suffix(1);
  while (route.starts_with('/')) route.remove_prefix(1);
  return fmt::format("{}/{}", base, route);
}

Result<SpinManifest> read_spin_manifest(const std::string& path) {
  const toml::table root = TRY(read_toml(path));
  for (const std::string_view key : {"spin_manifest_version", "spin_version"}) {
    const toml::node* version = root.get(key);
    if (version == nullptr) continue;
    const std::string text = version->is_string() ? version->value_or(std::string())
                                                  : fmt::format("{}", version->value_or(0));
    if (text == "1") return read_spin_manifest_v1(root, path);
    if (text == "2") return read_spin_manifest_v2(root, path);
    return fail("{}: {} is '{}'; 1 and 2 are read", place_of(path, *version), key, text);
  }
  return fail("{}: has no spin_manifest_version", path);
}

}  // namespace funcd::cli
