#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/config_flags.h"
#include "cli/verbs.h"
#include "server/admin_json.h"
#include "server/inspection.h"
#include "server/inspection_report.h"

namespace funcd::cli {
namespace {

constexpr const char* kFooter =
    "Does with each file what a server does before it goes live: reads the sidecar, validates,\n"
    "compiles, links, makes one instance. Exit code: 1 when one of them would not be served.\n"
    "\n"
    "Examples:\n"
    "  funcd check hello.wasm\n"
    "  funcd check functions/*.wasm --json\n"
    "  funcd check ./functions";

struct Check {
  explicit Check(CLI::App& verb)
      : flags(
            verb,
            [](std::string_view key) {
              return key == "source" || key == "cache_dir" || key == "cache_size" ||
                     key.starts_with("limits.") || key.starts_with("ceilings.");
            },
            ConfigFlags::Source::flag) {}

  ConfigFlags flags;
  std::vector<std::string> paths;
  bool is_json = false;
};

Result<int> check(const Check& request, const server::Config& config) {
  const auto inspector = TRY(server::Inspector::create(config, server::SmokeRequests::made));
  std::vector<server::FileInspection> files;
  for (const auto& path : request.paths) {
    std::error_code ignored;
    const bool is_folder = std::filesystem::is_directory(path, ignored);
    auto found = is_folder ? server::files_of(TRY(inspector->inspect_folder(path)), path)
                           : std::vector<server::FileInspection>{inspector->inspect_file(path)};
    for (auto& file : found) {
      server::tell_conflict(file, files);
      if (!request.is_json) {
        print(is_folder ? server::verdict_of(file) : server::inspection_text(file));
      }
      files.push_back(std::move(file));
    }
  }
  if (request.is_json) print(server::json_text(server::inspection_json(files)));
  const bool is_well = std::ranges::all_of(
      files, [](const server::FileInspection& file) { return file.reason.empty(); });
  return is_well ? kDone : kBad;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("check", "Tell what files are, and whether they would be served");
  const auto request = std::make_shared<Check>(*verb);
  verb->add_option("PATH", request->paths, ".wasm files, or folders of functions")->required();
  verb->add_flag("--json", request->is_json, "print JSON");
  verb->footer(kFooter);
  verb->callback([request, &action] {
    action = [request] {
      const auto config = request->flags.load();
      if (!config) return report(config.error(), kWrongUsage);
      log::configure(log::Level::warn, config->log_format);  // the verdicts say what has failed
      const auto code = check(*request, *config);
      return code ? *code : report(code.error(), kBad);
    };
  });
}

}  // namespace funcd::cli
