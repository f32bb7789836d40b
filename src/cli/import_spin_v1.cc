// Version 1 of Spin's manifest: [[component]], each with its trigger.

#include <string>

#include "cli/import_spin_manifest.h"
#include "registry/toml_table.h"

namespace funcd::cli {
namespace {

struct Application {
  std::string trigger = "http";
  std::string base = "/";
  const toml::array* components = nullptr;
};

Result<> read_trigger(const toml::node& node, std::string_view file, Application& application) {
  return registry::TomlTable(*TRY(registry::table_of(node)), "trigger", file)
      .read({{"type", into(application.trigger)},
             {"base", into(application.base)},
             {"address", pass_over}});
}

Result<> read_component_trigger(const toml::node& node, std::string_view file,
                                SpinTrigger& trigger) {
  return registry::TomlTable(*TRY(registry::table_of(node)), "component.trigger", file)
      .read({{"route", into(trigger.route)},
             {"channel", pass_over},
             {"executor",
              [&](const toml::node& value) { return read_spin_executor(value, file, trigger); }}});
}

Result<SpinTrigger> read_component(const toml::table& table, std::string_view file) {
  SpinTrigger trigger;
  SpinComponent& component = trigger.component;
  component.place = trigger.place = place_of(file, table);
  std::vector<std::string> http_hosts;
  TRY(registry::TomlTable(table, "component", file)
          .read({{"id", into(component.id)},
                 {"description", pass_over},
                 {"build", pass_over},
                 {"source",
                  [&](const toml::node& node) { return read_spin_source(node, file, component); }},
                 {"files",
                  [&](const toml::node& node) { return read_spin_files(node, file, component); }},
                 {"exclude_files", into(component.exclude_files)},
                 {"environment", into(component.environment)},
                 {"config", into(component.variables)},
                 {"allowed_http_hosts", into(http_hosts)},
                 {"allowed_outbound_hosts", into(component.outbound)},
                 {"key_value_stores", into(component.key_value_stores)},
                 {"sqlite_databases", into(component.sqlite_databases)},
                 {"ai_models", into(component.ai_models)},
                 {"trigger", [&](const toml::node& node) {
                    return read_component_trigger(node, file, trigger);
                  }}}));
  component.outbound.insert(component.outbound.end(), http_hosts.begin(), http_hosts.end());
  if (component.id.empty()) return fail("{}: a component without 'id'", component.place);
  if (component.source.empty() && component.remote.empty()) {
    return fail("{}: component '{}' without 'source'", component.place, component.id);
  }
  return trigger;
}

}  // namespace

Result<SpinManifest> read_spin_manifest_v1(const toml::table& root, const std::string& file) {
  SpinManifest manifest;
  Application application;
  TRY(registry::TomlTable(root, "", file)
          .read({{"spin_manifest_version", pass_over},
                 {"spin_version", pass_over},
                 {"name", pass_over},
                 {"version", pass_over},
                 {"description", pass_over},
                 {"authors", pass_over},
                 {"trigger",
                  [&](const toml::node& node) { return read_trigger(node, file, application); }},
                 {"variables",
                  [&](const toml::node& node) {
                    return read_spin_variables(node, file, manifest.variables);
                  }},
                 {"component", [&](const toml::node& node) -> Result<> {
                    application.components = TRY(registry::array_of(node));
                    return {};
                  }}}));
  if (application.components == nullptr) return fail("{}: has no [[component]]", file);
  for (const toml::node& node : *application.components) {
    const toml::table* const fields = TRY(registry::table_of(node));
    SpinTrigger trigger = TRY(read_component(*fields, file));
    if (application.trigger != "http") {
      manifest.others.push_back(fmt::format("{}: trigger {}", trigger.place, application.trigger));
      continue;
    }
    if (trigger.route.empty()) {
      return fail("{}: component '{}' without trigger.route", trigger.place, trigger.component.id);
    }
    trigger.route = joined_route(application.base, trigger.route);
    manifest.triggers.push_back(std::move(trigger));
  }
  return manifest;
}

}  // namespace funcd::cli
