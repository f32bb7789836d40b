#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <csignal>
#include <cstdio>
#include <memory>

#include "cli/config_flags.h"
#include "cli/verbs.h"
#include "server/admin_json.h"
#include "server/inspection.h"
#include "server/server.h"
#include "server/startup_table.h"

namespace funcd::cli {
namespace {

constexpr const char* kFooter =
    "functions/hello.wasm is served at /hello, functions/api/users.wasm at /api/users; what is\n"
    "copied into the folder later is served too. SIGTERM or Ctrl-C ends it once all requests are\n"
    "answered, a second one at once; so does closing its terminal, unless nohup has started it.\n"
    "Each option is also a key of funcd.toml and an environment variable: --limits-timeout is\n"
    "timeout in [limits], and FUNCD_LIMITS_TIMEOUT. Flags go before variables before the file.\n"
    "\n"
    "Examples:\n"
    "  funcd serve\n"
    "  funcd serve ./functions --listen 0.0.0.0:8000 --admin off\n"
    "  funcd serve --config funcd.toml --check\n"
    "  FUNCD_WORKERS=4 funcd serve --access-log --log-format json";

struct Serve {
  explicit Serve(CLI::App& verb) : flags(verb, [](std::string_view /*key*/) { return true; }) {}

  ConfigFlags flags;
  bool is_check = false;
};

// What a server of this configuration would serve, and what it would not.
int check(const server::Config& config) {
  const auto inspector = server::Inspector::create(config, server::SmokeRequests::made);
  if (!inspector) return report(inspector.error(), kBad);
  const auto inspection = (*inspector)->inspect_folder(config.source);
  if (!inspection) return report(inspection.error(), kBad);
  const auto json = server::functions_json(inspection->status, inspection->catalog.get(), "");
  const server::TableOptions table{.colours = server::colours_of(STDOUT_FILENO),
                                   .rows_max = 10'000};
  print(server::functions_table(json, table));
  return server::has_findings(json) ? kBad : kDone;
}

int serve(const Serve& request) {
  const auto config = request.flags.load();
  if (!config) return report(config.error(), request.is_check ? kBad : kWrongUsage);
  log::configure(request.is_check ? log::Level::warn : config->log_level, config->log_format);
  if (request.is_check) return check(*config);

  std::signal(SIGPIPE, SIG_IGN);  // clients and readers of the log may leave at any time
  std::signal(SIGXFSZ, SIG_IGN);  // past `ulimit -f` a write fails, as on a full disk
  if (auto source = server::check_source(config->source); !source)
    return report(source.error(), kBad);
  const auto created = server::Server::create(*config);
  if (!created) return report(created.error(), kBad);
  auto& server = **created;
  print(fmt::format("listening on {}\n", server.listen_url()));
  print(server.admin_url().empty() ? std::string("admin off\n")
                                   : fmt::format("admin on {}\n", server.admin_url()));
  server.on_first_scan([&server](const registry::Status& status) {
    const auto catalog = server.catalog();
    const auto json = server::functions_json(status, catalog.get(), server.listen_url());
    print("\n" + server::functions_table(json, {.colours = server::colours_of(STDOUT_FILENO)}));
  });
  const auto ended = server.run();
  std::clearerr(stdout);  // a reader that has gone is no failure of the server's
  return code_of(ended);
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("serve", "Serve a folder or a bucket of functions");
  const auto request = std::make_shared<Serve>(*verb);
  verb->add_flag("--check", request->is_check,
                 "validate the settings and all functions, print findings, serve nothing");
  verb->footer(kFooter);
  verb->callback([request, &action] { action = [request] { return serve(*request); }; });
}

}  // namespace funcd::cli
