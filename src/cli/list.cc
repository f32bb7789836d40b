#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/admin_client.h"
#include "cli/admin_flag.h"
#include "cli/config_flags.h"
#include "cli/verbs.h"
#include "server/admin_json.h"
#include "server/inspection.h"
#include "server/startup_table.h"

namespace funcd::cli {
namespace {

constexpr const char* kFooter =
    "Builds each function as a server would; no server needs to run. With --admin it lists what a\n"
    "running server has, and builds nothing; funcd status says how that server does as well.\n"
    "Exit code: 1 when a function cannot be served, else 0.\n"
    "\n"
    "Examples:\n"
    "  funcd list\n"
    "  funcd list ./functions --json\n"
    "  funcd list --admin 127.0.0.1:8001";

struct List {
  explicit List(CLI::App& verb)
      : flags(verb, [](std::string_view key) {
          return key == "source" || key == "cache_dir" || key == "cache_size" ||
                 key.starts_with("limits.") || key.starts_with("s3.") ||
                 key.starts_with("ceilings.");
        }) {}

  ConfigFlags flags;
  AdminFlag admin;
  bool is_json = false;
};

// Prints what functions_json() makes, here or in a server.
int show(const List& request, const nlohmann::ordered_json& json) {
  if (request.is_json) {
    print(server::json_text(json));
  } else {
    print(server::functions_table(
        json, {.colours = server::colours_of(STDOUT_FILENO), .rows_max = 10'000}));
  }
  return server::has_findings(json) ? kBad : kDone;
}

Result<int> list_running(const List& request) {
  const auto admin = TRY(request.admin.endpoint());
  const auto json = TRY(get_json(admin, "/v1/functions"));
  try {
    return show(request, json);
  } catch (const nlohmann::ordered_json::exception& error) {
    return not_ours(admin, error);
  }
}

int list_source(const List& request) {
  const auto config = request.flags.load();
  if (!config) return report(config.error(), kWrongUsage);
  log::configure(log::Level::warn, config->log_format);  // the list says what has failed
  const auto inspector = server::Inspector::create(*config, server::SmokeRequests::skipped);
  if (!inspector) return report(inspector.error(), kBad);
  const auto inspection = (*inspector)->inspect_folder(config->source);
  if (!inspection) return report(inspection.error(), kBad);
  return show(request, server::functions_json(inspection->status, inspection->catalog.get(), ""));
}

int list(const List& request) {
  if (!request.admin.is_given()) return list_source(request);
  const auto code = list_running(request);
  return code ? *code : report(code.error(), kBad);
}

}  // namespace

void add_list(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("list", "List the functions of a source or a running server");
  const auto request = std::make_shared<List>(*verb);
  const auto about_source = verb->get_options();
  auto* admin = request->admin.add_to(*verb);
  for (auto* option : about_source) {
    if (option != verb->get_help_ptr()) admin->excludes(option);
  }
  verb->add_flag("--json", request->is_json, "print JSON, as /v1/functions does");
  verb->footer(kFooter);
  verb->callback([request, &action] { action = [request] { return list(*request); }; });
}

}  // namespace funcd::cli
