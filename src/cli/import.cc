#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <memory>

#include "cli/import_project.h"
#include "cli/import_report.h"
#include "cli/import_toml.h"
#include "cli/verbs.h"
#include "registry/inside.h"

namespace funcd::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFooter =
    "Makes a functions folder of a project that was written for another server: modules and\n"
    "sidecars. Says of each part what became of it, and what to do about what has no counterpart.\n"
    "Writes all of it or nothing. Exit code: 1 when the project cannot be read, or files differ.\n"
    "\n"
    "Examples:\n"
    "  funcd import modules.toml --to functions\n"
    "  funcd import ./workers --to functions --dry-run\n"
    "  funcd import spin.toml --to functions --force";

struct Import {
  std::string source;
  std::string to;
  std::string root;
  bool is_dry = false;
  bool replaces = false;
  bool is_json = false;
};

constexpr std::string_view kWagiManifest = "modules.toml";
constexpr std::string_view kSpinManifest = "spin.toml";

// The manifest that a source means, or the folder itself, which is a project of wws.
std::string manifest_of(const std::string& source) {
  std::error_code ignored;
  if (!fs::is_directory(source, ignored)) return source;
  const std::string stem = source.ends_with('/') ? source : source + "/";
  for (const std::string_view name : {kSpinManifest, kWagiManifest}) {
    if (fs::is_regular_file(stem + std::string(name), ignored)) return stem + std::string(name);
  }
  return source;
}

Result<ImportPlan> plan_of(const ImportProject& project, bool is_folder) {
  if (is_folder) return plan_wws(project);
  const toml::table root = TRY(read_toml(project.path));
  if (root.contains("spin_manifest_version") || root.contains("spin_version")) {
    return plan_spin(project);
  }
  if (root.contains("module")) return plan_wagi(project);
  return fail(
      "{}: is no manifest that is known; name a modules.toml of Wagi, a spin.toml, or a folder of "
      "wasm-workers-server",
      project.path);
}

Result<ImportProject> project_of(const Import& request) {
  ImportProject project;
  project.path = manifest_of(request.source);
  std::error_code error;
  const bool is_folder = fs::is_directory(project.path, error);
  if (!is_folder && !fs::is_regular_file(project.path, error)) {
    return fail("{}: {}", project.path,
                error ? error.message() : std::string("no such file or folder"));
  }
  const fs::path above = fs::path(project.path).parent_path();
  const std::string base = is_folder       ? project.path
                           : above.empty() ? std::string(".")
                                           : above.string();
  const auto real = [](const std::string& path) -> Result<std::string> {
    auto found = registry::real_path_of(path);
    if (!found) return fail("{}: {}", path, found.error().message);
    return found;
  };
  project.base = TRY(real(base));
  project.root = request.root.empty() ? project.base : TRY(real(request.root));
  if (!registry::is_inside(project.base, project.root)) {
    return fail("--root {}: does not hold {}", request.root, project.path);
  }
  if (fs::is_directory(request.to, error)) project.excluded = TRY(real(request.to));
  if (is_folder && project.excluded == project.base) {
    return fail("--to {}: is the project itself; name another folder", request.to);
  }
  return project;
}

Result<std::string> import(const Import& request) {
  const ImportProject project = TRY(project_of(request));
  ImportPlan plan = TRY(plan_of(project, fs::is_directory(project.path)));
  if (plan.functions.empty() && plan.skips.empty() && plan.files.empty()) {
    return fail("{}: holds nothing to import", project.path);
  }
  TRY(complete(plan));
  const auto fates = TRY(write_files(plan.files, request.to,
                                     {.replaces = request.replaces, .is_dry = request.is_dry}));
  const ImportOutcome outcome{
      .plan = plan, .fates = fates, .folder = request.to, .is_dry = request.is_dry};
  return request.is_json ? import_json(outcome) : import_text(outcome);
}

}  // namespace

void add_import(CLI::App& app, Action& action) {
  auto* verb =
      app.add_subcommand("import", "Make a functions folder of a Wagi, wws or Spin project");
  const auto request = std::make_shared<Import>();
  verb->add_option("SOURCE", request->source,
                   "a modules.toml (Wagi), a spin.toml, or a folder (wasm-workers-server)")
      ->required();
  verb->add_option("--to", request->to, "the functions folder that is made, or added to")
      ->required()
      ->type_name("FOLDER");
  verb->add_option("--root", request->root,
                   "the folder that no path of the project leads out of; default: its own")
      ->type_name("FOLDER");
  verb->add_flag("--dry-run", request->is_dry, "only say what would be done");
  verb->add_flag("--force", request->replaces, "replace files that are there and differ");
  verb->add_flag("--json", request->is_json, "print JSON");
  verb->footer(kFooter);
  verb->callback([request, &action] {
    action = [request] {
      const auto text = import(*request);
      if (!text) return report(text.error(), kBad);
      print(*text);
      return kDone;
    };
  });
}

}  // namespace funcd::cli
