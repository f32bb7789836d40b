#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "base/utf8.h"
#include "cli/admin_client.h"
#include "cli/admin_flag.h"
#include "cli/verbs.h"
#include "server/admin_json.h"
#include "server/startup_table.h"
#include "server/units.h"

namespace funcd::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFooter =
    "Exit code: 0 when every function's newest file is live and nothing is wrong, else 1.\n"
    "\n"
    "Examples:\n"
    "  funcd status\n"
    "  funcd status --admin 127.0.0.1:9001 --json";

struct Status {
  AdminFlag admin;
  bool is_json = false;
};

std::string uptime_text(std::int64_t seconds) {
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} days {} h", seconds / 86'400, seconds / 3600 % 24);
}

// "1 worker", "2 workers".
std::string counted(const Json& count, std::string_view what) {
  const auto number = count.get<std::uint64_t>();
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

void print_server(const Json& status) {
  print(fmt::format("funcd {} on {}, process {}, up {}{}\n",
                    status.at("version").get<std::string>(), status.at("listen").get<std::string>(),
                    status.at("pid").get<int>(),
                    uptime_text(status.at("uptime_seconds").get<std::int64_t>()),
                    status.at("is_draining").get<bool>() ? ", draining" : ""));
  print(fmt::format("source {}: {}\n", printable(status.at("source").get<std::string>()),
                    !status.at("source_error").is_null()
                        ? printable(status.at("source_error").get<std::string>())
                    : status.at("is_first_scan_done").get<bool>() ? "watched"
                                                                  : "first scan under way"));
  print(fmt::format("{}, {}, {} in flight, {} waiting, {}\n\n",
                    counted(status.at("workers"), "worker"),
                    counted(status.at("connections_open"), "connection"),
                    counted(status.at("requests_in_flight"), "request"),
                    status.at("requests_waiting").get<std::uint64_t>(),
                    server::approximate_size(status.at("rss_bytes").get<std::uint64_t>())));
}

Result<int> show(const Status& request) {
  const auto admin = TRY(request.admin.endpoint());
  const auto status = TRY(get_json(admin, "/v1/status"));
  const auto functions = TRY(get_json(admin, "/v1/functions"));
  try {
    const bool is_well = status.at("source_error").is_null() && !server::has_findings(functions);
    if (request.is_json) {
      const Json all = {{"server", status},
                        {"functions", functions.at("functions")},
                        {"problems", functions.at("problems")}};
      print(server::json_text(all));
    } else {
      print_server(status);
      print(server::functions_table(functions, {.colours = server::colours_of(STDOUT_FILENO)}));
    }
    return is_well ? kDone : kBad;
  } catch (const Json::exception& error) {
    return not_ours(admin, error);
  }
}

}  // namespace

void add_status(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("status", "Show what a running server does");
  const auto request = std::make_shared<Status>();
  request->admin.add_with_config_to(*verb);
  verb->add_flag("--json", request->is_json, "print JSON");
  verb->footer(kFooter);
  verb->callback([request, &action] {
    action = [request] {
      const auto code = show(*request);
      return code ? *code : report(code.error(), kBad);
    };
  });
}

}  // namespace funcd::cli
