// A folder of wasm-workers-server: NAME.wasm and NAME.toml, public/ (docs/docs/get-started).

#include <array>
#include <cstdlib>
#include <filesystem>

#include "cli/import_project.h"
#include "cli/import_toml.h"
#include "registry/folder_scan.h"
#include "registry/names.h"
#include "registry/toml_table.h"

namespace funcd::cli {
namespace {

constexpr std::array<std::string_view, 5> kInterpreted = {".js", ".py", ".rb", ".php", ".ts"};

struct Folder {
  std::string from;
  std::string to;
};

struct Worker {
  TextPairs vars;
  std::optional<std::string> kv_namespace;
  std::vector<Folder> folders;
  std::vector<std::string> allowed_hosts;
  bool allows_http = false;
  bool has_wasi_nn = false;
};

Result<> read_data(const toml::node& node, std::string_view file, Worker& worker) {
  return registry::TomlTable(*TRY(registry::table_of(node)), "data", file)
      .read(
          {{"kv", [&](const toml::node& kv) -> Result<> {
              std::string name;
              const toml::table* const fields = TRY(registry::table_of(kv));
              TRY(registry::TomlTable(*fields, "data.kv", file).read({{"namespace", into(name)}}));
              worker.kv_namespace = std::move(name);
              return {};
            }}});
}

Result<> read_features(const toml::node& node, std::string_view file, Worker& worker) {
  const auto read_requests = [&](const toml::node& requests) -> Result<> {
    return registry::TomlTable(*TRY(registry::table_of(requests)), "features.http_requests", file)
        .read({{"allowed_hosts", into(worker.allowed_hosts)},
               {"allowed_methods", pass_over},
               {"allow_http", into(worker.allows_http)}});
  };
  const auto read_wasi_nn = [&worker](const toml::node&) -> Result<> {
    worker.has_wasi_nn = true;
    return {};
  };
  return registry::TomlTable(*TRY(registry::table_of(node)), "features", file)
      .read({{"http_requests", read_requests}, {"wasi_nn", read_wasi_nn}});
}

Result<> read_folders(const toml::node& node, std::string_view file, Worker& worker) {
  for (const toml::node& item : *TRY(registry::array_of(node))) {
    Folder folder;
    const toml::table* const fields = TRY(registry::table_of(item));
    TRY(registry::TomlTable(*fields, "folders", file)
            .read({{"from", into(folder.from)}, {"to", into(folder.to)}}));
    if (folder.from.empty()) return fail("{}: a folder without 'from'", place_of(file, item));
    if (!folder.to.starts_with('/')) {
      return fail("{}: 'to' is an absolute path, got '{}'", place_of(file, item), folder.to);
    }
    worker.folders.push_back(std::move(folder));
  }
  return {};
}

Result<Worker> read_worker(const std::string& path) {
  Worker worker;
  const toml::table root = TRY(read_toml(path));
  TRY(registry::TomlTable(root, "", path)
          .read({{"name", pass_over},
                 {"version", pass_over},
                 {"vars", into(worker.vars)},
                 {"data", [&](const toml::node& node) { return read_data(node, path, worker); }},
                 {"features",
                  [&](const toml::node& node) { return read_features(node, path, worker); }},
                 {"folders",
                  [&](const toml::node& node) { return read_folders(node, path, worker); }}}));
  return worker;
}

// "$TOKEN" stands for a variable of the server's environment; here that is who imports.
void add_vars(const Worker& worker, ImportFunction& function) {
  for (const auto& [name, value] : worker.vars) {
    const bool is_reference = value.starts_with('$') && value.find(' ') == std::string::npos;
    if (!is_reference) {
      function.env.emplace_back(name, value);
      continue;
    }
    const char* found = std::getenv(value.c_str() + 1);
    function.env.emplace_back(name, found == nullptr ? "" : found);
    function.notes.push_back(
        found == nullptr
            ? ImportNote{fmt::format("{} = \"{}\" is not set in this environment, so it is empty",
                                     name, value),
                         fmt::format("set {} in [env] of the sidecar", name)}
            : ImportNote{
                  fmt::format("the value of {} was read once and stands in the sidecar", value),
                  "keep that file as secret as the value"});
  }
}

void note_differences(const Worker& worker, ImportFunction& function) {
  if (!worker.allowed_hosts.empty() || worker.allows_http) {
    function.notes.push_back(
        {fmt::format("features.http_requests ({}) has no counterpart for modules",
                     fmt::join(worker.allowed_hosts, ", ")),
         "components send requests, by wasi:http, to those that [outbound] allow names"});
  }
  if (worker.has_wasi_nn) {
    function.notes.push_back({"features.wasi_nn has no counterpart", "call a model over HTTP"});
  }
}

class Project {
 public:
  explicit Project(const ImportProject& project)
      : project_(project),
        plan_{.format = ImportFormat::wws,
              .source = project.path,
              .functions = {},
              .skips = {},
              .notes = {},
              .files = {}},
        folders_(project_, plan_) {}

  Result<ImportPlan> read() {
    const auto count = TRY(walk_tree(
        project_, {.folder = project_.base,
                   .on_file = [this](const std::string& relative, const std::string& real) {
                     return visit(relative, real);
                   }}));
    if (count.taken == 0) return fail("{}: holds no file", project_.path);
    if (!plan_.functions.empty()) {
      plan_.notes.push_back({"stores are kept on disk here, and wws kept them in memory",
                             "nothing to do; funcd serve --help names the file, --kv-file"});
    }
    return std::move(plan_);
  }

 private:
  Result<> visit(const std::string& relative, const std::string& real) {
    if (is_passed_over(relative)) return {};
    const auto prefix = fmt::format("{}/", registry::kPublicFolder);
    if (relative.starts_with(prefix)) {
      plan_.files.push_back({.path = relative, .source = real, .text = {}});
      return {};
    }
    if (relative.ends_with(".wasm")) return visit_module(relative, real);
    for (const std::string_view ending : kInterpreted) {
      if (!relative.ends_with(ending)) continue;
      plan_.skips.push_back(
          {relative,
           {"is a script, which a language runtime of wws runs",
            "build a wasi:http component of it (componentize-js, componentize-py), or port it"}});
    }
    return {};
  }

  // What wws does not look at either: "_" begins the name of a file or folder, or it is in a public
  // folder that is not at the top.
  static bool is_passed_over(std::string_view relative) {
    const auto below = fmt::format("/{}/", registry::kPublicFolder);
    return relative.starts_with('_') || relative.find("/_") != std::string_view::npos ||
           relative.find(below) != std::string_view::npos;
  }

  Result<> visit_module(const std::string& relative, const std::string& real) {
    const std::string stem = relative.substr(0, relative.size() - 5);
    if (TRY(wasm_kind_of(real)) == WasmKind::component) {
      plan_.skips.push_back({relative,
                             {"is a component, whose interface is wws's own",
                              "build it as a module for wasm32-wasip1, or for wasi:http"}});
      return {};
    }
    ImportFunction function;
    function.name = stem;
    function.from = relative;
    function.wasm = real;
    function.route = registry::route_of_name(stem);
    function.contract = "wws";
    TRY(read_sidecar(stem, function));
    plan_.functions.push_back(std::move(function));
    return {};
  }

  Result<> read_sidecar(const std::string& stem, ImportFunction& function) {
    const std::string path = fmt::format("{}/{}.toml", project_.base, stem);
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return {};
    const std::string real = TRY(find_in(project_, project_.base, stem + ".toml"));
    const Worker worker = TRY(read_worker(real));
    add_vars(worker, function);
    function.kv_namespace = worker.kv_namespace;
    for (const Folder& folder : worker.folders) {
      const std::string base = std::filesystem::path(real).parent_path().string();
      const auto found = find_in(project_, base, folder.from);
      if (!found) return fail("{}: folders.from: {}", real, found.error().message);
      const std::string place = TRY(folders_.add(*found));
      function.mounts.push_back({.host = place, .guest = folder.to, .is_writable = true});
      function.notes.push_back({fmt::format("{} is mounted as a copy, {}", folder.from, place),
                                "change the files there from now on"});
    }
    note_differences(worker, function);
    return {};
  }

  const ImportProject& project_;
  ImportPlan plan_;
  ImportedFolders folders_;
};

}  // namespace

Result<ImportPlan> plan_wws(const ImportProject& project) {
  return Project(project).read();
}

}  // namespace funcd::cli
