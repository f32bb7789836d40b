#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/import_toml.h"

namespace funcd::cli {

// [variables] of an application, and what stands for "{{ name }}".
struct SpinVariables {
  struct Variable {
    std::string name;
    std::optional<std::string> value;  // its default, or SPIN_VARIABLE_NAME of the environment
  };
  std::vector<Variable> variables;

  // The text with each "{{ name }}" replaced; an error names the variable that has no value.
  [[nodiscard]] Result<std::string> expand(std::string_view text) const;
};

struct SpinFiles {
  std::string pattern;      // relative to the manifest: a glob, or one file
  std::string source;       // or a folder ...
  std::string destination;  // ... and where the component sees it
};

struct SpinComponent {
  std::string id;
  std::string place;   // "spin.toml:12"
  std::string source;  // a path; empty when it is kept elsewhere
  std::string remote;  // what the source is then: "https://...", "user:package"
  TextPairs environment;
  TextPairs variables;
  std::vector<std::string> outbound;
  std::vector<SpinFiles> files;
  std::vector<std::string> exclude_files;
  std::vector<std::string> key_value_stores;
  std::vector<std::string> sqlite_databases;
  std::vector<std::string> ai_models;
  bool has_dependencies = false;
};

struct SpinExecutor {
  bool is_wagi = false;
  std::string entrypoint;
  std::string argv;
};

// One route of an application.
struct SpinTrigger {
  std::string place;
  std::string route;    // "/cart/:id/..."; with the application's base
  std::string why_not;  // this trigger has no counterpart, and why
  SpinExecutor executor;
  SpinComponent component;
};

struct SpinManifest {
  SpinVariables variables;
  std::vector<SpinTrigger> triggers;
  std::vector<std::string> others;  // "spin.toml:20: trigger redis"
};

// A manifest of version 1 or 2 (spinframework.dev, "manifest reference"). Errors name file and
// line.
[[nodiscard]] Result<SpinManifest> read_spin_manifest(const std::string& path);

// Shared by the readers of both versions.
[[nodiscard]] Result<> read_spin_variables(const toml::node& node, std::string_view file,
                                           SpinVariables& variables);
[[nodiscard]] Result<> read_spin_source(const toml::node& node, std::string_view file,
                                        SpinComponent& component);
[[nodiscard]] Result<> read_spin_files(const toml::node& node, std::string_view file,
                                       SpinComponent& component);
[[nodiscard]] Result<> read_spin_executor(const toml::node& node, std::string_view file,
                                          SpinTrigger& trigger);
[[nodiscard]] Result<SpinManifest> read_spin_manifest_v1(const toml::table& root,
                                                         const std::string& file);
[[nodiscard]] Result<SpinManifest> read_spin_manifest_v2(const toml::table& root,
                                                         const std::string& file);
// "/base" and "/route/..." give "/base/route/...".
[[nodiscard]] std::string joined_route(std::string_view base, std::string_view route);

}  // namespace funcd::cli
