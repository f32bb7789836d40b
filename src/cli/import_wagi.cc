// Wagi's modules.toml: one [[module]] for each route (deislabs/wagi, docs/configuring_wagi.md).

#include <optional>

#include "base/file.h"
#include "cli/import_project.h"
#include "cli/import_toml.h"
#include "registry/toml_table.h"

namespace funcd::cli {
namespace {

constexpr std::string_view kArgvDefault = "${SCRIPT_NAME} ${ARGS}";
// An export section's entry for a function of that name (core specification 5.5.10).
constexpr std::string_view kRoutesExport("\7_routes\0", 9);

struct Module {
  std::string route;
  std::string module;
  std::string host;
  std::string entrypoint;
  std::string argv;
  TextPairs volumes;
  TextPairs environment;
  std::vector<std::string> allowed_hosts;
  bool has_concurrency = false;
};

Result<Module> read_module(const toml::table& table, std::string_view file) {
  Module module;
  TRY(registry::TomlTable(table, "module", file)
          .read({{"route", into(module.route)},
                 {"module", into(module.module)},
                 {"host", into(module.host)},
                 {"entrypoint", into(module.entrypoint)},
                 {"argv", into(module.argv)},
                 {"volumes", into(module.volumes)},
                 {"environment", into(module.environment)},
                 {"allowed_hosts", into(module.allowed_hosts)},
                 {"http_max_concurrency",
                  [&module](const toml::node&) -> Result<> {
                    module.has_concurrency = true;
                    return {};
                  }},
                 {"bindle_server", pass_over},
                 {"repository", pass_over}}));
  const auto place = place_of(file, table);
  if (module.route.empty()) return fail("{}: a module without 'route'", place);
  if (module.module.empty()) return fail("{}: a module without 'module'", place);
  return module;
}

// "/x/..." is /x and all below it.
std::string route_of(std::string_view route) {
  if (!route.ends_with("/...")) return std::string(route);
  return fmt::format("{}*", route.substr(0, route.size() - 3));
}

// "/api/users/..." gives "api/users", "/" gives "index".
std::string name_of_route(std::string_view route) {
  if (route.ends_with("/...")) route.remove_suffix(4);
  const auto first = route.find_first_not_of('/');
  return first == std::string_view::npos ? "index" : std::string(route.substr(first));
}

// The path of a local module, or nothing where it is kept elsewhere.
std::optional<std::string> local_path(std::string_view module) {
  if (module.starts_with("file://")) return std::string(module.substr(7));
  if (module.starts_with("file:")) return std::string(module.substr(5));
  for (const std::string_view scheme : {"oci:", "bindle:", "parcel:", "http:", "https:"}) {
    if (module.starts_with(scheme)) return std::nullopt;
  }
  return std::string(module);
}

// "." and relative paths are below what a module takes for the root.
std::string guest_path(std::string_view path) {
  if (path.starts_with("./")) path.remove_prefix(2);
  if (path.empty() || path == ".") return "/";
  return path.front() == '/' ? std::string(path) : fmt::format("/{}", path);
}

Result<> note_exports(ImportFunction& function) {
  const auto bytes = TRY(read_text_file(function.wasm, kImportFileBytesMax));
  if (bytes.find(kRoutesExport) == std::string::npos) return {};
  function.notes.push_back(
      {"it names routes of its own by _routes, which is not called here",
       "copy module and sidecar once for each route, or take '*' and look at PATH_INFO"});
  return {};
}

void note_differences(const Module& module, ImportFunction& function) {
  if (!module.argv.empty() && module.argv != kArgvDefault) {
    function.notes.push_back({fmt::format("argv = \"{}\" has no counterpart", module.argv),
                              "argv[0] is the name here, what follows is made of the query"});
  }
  if (!module.allowed_hosts.empty() || module.has_concurrency) {
    function.notes.push_back(
        {fmt::format("allowed_hosts ({}) has no counterpart for modules",
                     fmt::join(module.allowed_hosts, ", ")),
         "components send requests, by wasi:http, to those that [outbound] allow names"});
  }
}

// What it is to become, or why it is left out.
Result<std::optional<ImportNote>> read_function(const ImportProject& project, const Module& module,
                                                ImportedFolders& folders,
                                                ImportFunction& function) {
  const auto path = local_path(module.module);
  if (!path) {
    return ImportNote{fmt::format("{} is not a local file", module.module),
                      "fetch it with the tool of its registry and name the file in 'module'"};
  }
  if (!module.entrypoint.empty() && module.entrypoint != kEntrypoint) {
    return ImportNote{
        fmt::format("entrypoint = \"{}\": only {} is called here", module.entrypoint, kEntrypoint),
        "build a program whose main calls it"};
  }
  function.wasm = TRY(find_in(project, project.base, *path));
  if (TRY(wasm_kind_of(function.wasm)) != WasmKind::module) {
    return ImportNote{fmt::format("{} is a component, which Wagi does not run", *path),
                      "copy it into the functions folder if it exports wasi:http"};
  }
  function.name = name_of_route(module.route);
  function.route = route_of(module.route);
  function.host = module.host;
  function.contract = "cgi";
  function.env = module.environment;
  for (const auto& [guest, host] : module.volumes) {
    const auto found = TRY(find_in(project, project.base, host));
    const std::string place = TRY(folders.add(found));
    function.mounts.push_back({.host = place, .guest = guest_path(guest), .is_writable = true});
    function.notes.push_back({fmt::format("{} is mounted as a copy, {}", host, place),
                              "change the files there from now on"});
  }
  note_differences(module, function);
  TRY(note_exports(function));
  return std::nullopt;
}

}  // namespace

Result<ImportPlan> plan_wagi(const ImportProject& project) {
  ImportPlan plan{.format = ImportFormat::wagi,
                  .source = project.path,
                  .functions = {},
                  .skips = {},
                  .notes = {},
                  .files = {}};
  const toml::table root = TRY(read_toml(project.path));
  const toml::array* modules = nullptr;
  TRY(registry::TomlTable(root, "", project.path)
          .read({{"module",
                  [&modules](const toml::node& node) -> Result<> {
                    modules = TRY(registry::array_of(node));
                    return {};
                  }},
                 {"default_host", pass_over},
                 {"repository", pass_over}}));
  if (modules == nullptr) return fail("{}: has no [[module]]", project.path);
  ImportedFolders folders(project, plan);
  for (const toml::node& node : *modules) {
    const std::string place = place_of(project.path, node);
    const auto table = registry::table_of(node);
    if (!table) return fail("{}: {}", place, table.error().message);
    const Module module = TRY(read_module(**table, project.path));
    ImportFunction function;
    function.from = fmt::format("{}: module {}", place, module.route);
    auto skipped = read_function(project, module, folders, function);
    if (!skipped) return fail("{}: {}", function.from, skipped.error().message);
    if (*skipped) {
      plan.skips.push_back({function.from, std::move(**skipped)});
    } else {
      plan.functions.push_back(std::move(function));
    }
  }
  if (!plan.functions.empty()) {
    plan.notes.push_back({"variables that were given by --env or --env-file are not in the file",
                          "add them to [env] of each sidecar"});
  }
  return plan;
}

}  // namespace funcd::cli
