#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/config_flags.h"
#include "cli/verbs.h"
#include "server/admin_json.h"
#include "server/inspection.h"
#include "server/startup_table.h"

namespace funcd::cli {
namespace {

constexpr const char* kFooter =
    "Builds each function as a server would; no server needs to run. funcd status shows a running\n"
    "one. Exit code: 1 when a function cannot be served, else 0.\n"
    "\n"
    "Examples:\n"
    "  funcd list\n"
    "  funcd list ./functions --json";

struct List {
  explicit List(CLI::App& verb)
      : flags(verb, [](std::string_view key) {
          return key == "source" || key == "cache_dir" || key == "cache_size" ||
                 key.starts_with("limits.") || key.starts_with("s3.") ||
                 key.starts_with("ceilings.");
        }) {}

  ConfigFlags flags;
  bool is_json = false;
};

int list(const List& request) {
  const auto config = request.flags.load();
  if (!config) return report(config.error(), kWrongUsage);
  log::configure(log::Level::warn, config->log_format);  // the list says what has failed
  const auto inspector = server::Inspector::create(*config, server::SmokeRequests::skipped);
  if (!inspector) return report(inspector.error(), kBad);
  const auto inspection = (*inspector)->inspect_folder(config->source);
  if (!inspection) return report(inspection.error(), kBad);
  const auto json = server::functions_json(inspection->status, inspection->catalog.get(), "");
  if (request.is_json) {
    print(server::json_text(json));
  } else {
    print(server::functions_table(
        json, {.colours = server::colours_of(STDOUT_FILENO), .rows_max = 10'000}));
  }
  return server::has_findings(json) ? kBad : kDone;
}

}  // namespace

void add_list(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("list", "List the functions of a folder");
  const auto request = std::make_shared<List>(*verb);
  verb->add_flag("--json", request->is_json, "print JSON, as /v1/functions does");
  verb->footer(kFooter);
  verb->callback([request, &action] { action = [request] { return list(*request); }; });
}

}  // namespace funcd::cli
