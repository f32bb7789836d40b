// Version 2 of Spin's manifest: [[trigger.http]], which names a [component.NAME].

#include <algorithm>
#include <string>

#include "cli/import_spin_manifest.h"
#include "registry/toml_table.h"

namespace funcd::cli {
namespace {

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  Result<SpinManifest> read(const toml::table& root) {
    const toml::node* triggers = nullptr;
    TRY(registry::TomlTable(root, "", file_)
            .read({{"spin_manifest_version", pass_over},
                   {"application", [this](const toml::node& node) { return application(node); }},
                   {"variables",
                    [this](const toml::node& node) {
                      return read_spin_variables(node, file_, manifest_.variables);
                    }},
                   {"component", [this](const toml::node& node) { return components(node); }},
                   {"trigger", [&triggers](const toml::node& node) -> Result<> {
                      triggers = &node;
                      return {};
                    }}}));
    // Last, wherever it stands: it refers to all the others.
    if (triggers == nullptr) return fail("{}: has no [[trigger.http]]", file_);
    TRY(read_triggers(*triggers));
    return std::move(manifest_);
  }

 private:
  Result<> application(const toml::node& node) {
    return registry::TomlTable(*TRY(registry::table_of(node)), "application", file_)
        .read({{"name", pass_over},
               {"version", pass_over},
               {"description", pass_over},
               {"authors", pass_over},
               {"targets", pass_over},
               {"tool", pass_over},
               {"trigger", [this](const toml::node& trigger) -> Result<> {
                  return registry::TomlTable(*TRY(registry::table_of(trigger)),
                                             "application.trigger", file_)
                      .read_all([this](std::string_view kind, const toml::node& settings) {
                        return kind == "http" ? http_settings(settings) : Result<>();
                      });
                }}});
  }

  Result<> http_settings(const toml::node& node) {
    return registry::TomlTable(*TRY(registry::table_of(node)), "application.trigger.http", file_)
        .read({{"base", into(base_)}});
  }

  Result<> components(const toml::node& node) {
    return registry::TomlTable(*TRY(registry::table_of(node)), "component", file_)
        .read_all([this](std::string_view id, const toml::node& value) -> Result<> {
          components_.push_back(TRY(component(std::string(id), value)));
          return {};
        });
  }

  Result<SpinComponent> component(std::string id, const toml::node& node) const {
    SpinComponent component;
    component.id = std::move(id);
    component.place = place_of(file_, node);
    std::vector<std::string> http_hosts;
    const std::string name = "component." + component.id;
    const toml::table* const fields = TRY(registry::table_of(node));
    TRY(registry::TomlTable(*fields, name, file_)
            .read({{"source",
                    [&](const toml::node& value) {
                      return read_spin_source(value, file_, component);
                    }},
                   {"description", pass_over},
                   {"build", pass_over},
                   {"tool", pass_over},
                   {"targets", pass_over},
                   {"profile", pass_over},
                   {"files",
                    [&](const toml::node& value) {
                      return read_spin_files(value, file_, component);
                    }},
                   {"exclude_files", into(component.exclude_files)},
                   {"environment", into(component.environment)},
                   {"variables", into(component.variables)},
                   {"allowed_http_hosts", into(http_hosts)},
                   {"allowed_outbound_hosts", into(component.outbound)},
                   {"key_value_stores", into(component.key_value_stores)},
                   {"sqlite_databases", into(component.sqlite_databases)},
                   {"ai_models", into(component.ai_models)},
                   {"dependencies_inherit_configuration", pass_over},
                   {"dependencies", [&component](const toml::node& value) -> Result<> {
                      component.has_dependencies = !TRY(registry::table_of(value))->empty();
                      return {};
                    }}}));
    component.outbound.insert(component.outbound.end(), http_hosts.begin(), http_hosts.end());
    if (component.source.empty() && component.remote.empty()) {
      return fail("{}: component '{}' without 'source'", component.place, component.id);
    }
    return component;
  }

  Result<> read_triggers(const toml::node& node) {
    return registry::TomlTable(*TRY(registry::table_of(node)), "trigger", file_)
        .read_all([this](std::string_view kind, const toml::node& list) -> Result<> {
          for (const toml::node& item : *TRY(registry::array_of(list))) {
            if (kind != "http") {
              manifest_.others.push_back(
                  fmt::format("{}: trigger {}", place_of(file_, item), kind));
              continue;
            }
            manifest_.triggers.push_back(TRY(trigger(item)));
          }
          return {};
        });
  }

  Result<SpinTrigger> trigger(const toml::node& node) const {
    SpinTrigger trigger;
    trigger.place = place_of(file_, node);
    trigger.component.id = "none";
    bool has_component = false;
    const toml::table* const fields = TRY(registry::table_of(node));
    TRY(registry::TomlTable(*fields, "trigger.http", file_)
            .read({{"id", pass_over},
                   {"route", [&](const toml::node& value) { return route(value, trigger); }},
                   {"executor",
                    [&](const toml::node& value) {
                      return read_spin_executor(value, file_, trigger);
                    }},
                   {"middleware",
                    [&trigger](const toml::node&) -> Result<> {
                      trigger.why_not = "has middleware";
                      return {};
                    }},
                   {"components",
                    [&trigger](const toml::node&) -> Result<> {
                      trigger.why_not = "has middleware";
                      return {};
                    }},
                   {"static_response",
                    [&trigger](const toml::node&) -> Result<> {
                      trigger.why_not = "is a static response";
                      return {};
                    }},
                   {"component", [&](const toml::node& value) -> Result<> {
                      trigger.component = TRY(named(value, trigger.place));
                      has_component = true;
                      return {};
                    }}}));
    if (!trigger.why_not.empty()) return trigger;
    if (trigger.route.empty()) return fail("{}: a trigger without 'route'", trigger.place);
    if (!has_component) return fail("{}: a trigger without 'component'", trigger.place);
    return trigger;
  }

  Result<> route(const toml::node& node, SpinTrigger& trigger) const {
    if (!node.is_table()) {
      trigger.route = joined_route(base_, TRY(registry::string_of(node)));
      return {};
    }
    trigger.why_not = "is private: only other components of its application call it";
    return registry::TomlTable(*node.as_table(), "trigger.http.route", file_)
        .read({{"private", pass_over}});
  }

  // By its name, or written out in the trigger.
  Result<SpinComponent> named(const toml::node& node, const std::string& place) const {
    if (node.is_table()) return component("inline", node);
    const std::string id = TRY(registry::string_of(node));
    const auto found = std::ranges::find(components_, id, &SpinComponent::id);
    if (found == components_.end()) {
      return fail("{}: there is no [component.{}]", place, id);
    }
    return *found;
  }

  const std::string& file_;
  SpinManifest manifest_;
  std::vector<SpinComponent> components_;
  std::string base_ = "/";
};

}  // namespace

Result<SpinManifest> read_spin_manifest_v2(const toml::table& root, const std::string& file) {
  return Reader(file).read(root);
}

}  // namespace funcd::cli
