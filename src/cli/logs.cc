#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <memory>
#include <thread>

#include "base/utf8.h"
#include "cli/admin_client.h"
#include "cli/admin_flag.h"
#include "cli/verbs.h"

namespace funcd::cli {
namespace {

using Json = nlohmann::ordered_json;

// How often a server is asked for more with --follow.
constexpr std::chrono::milliseconds kFollowInterval{500};
constexpr std::uint32_t kLinesMax = 256;  // what a server keeps

constexpr const char* kFooter =
    "An entry for each invocation that failed or wrote to stderr. The server keeps the last 256 "
    "of\n"
    "each function, in memory.\n"
    "\n"
    "Examples:\n"
    "  funcd logs hello\n"
    "  funcd logs hello --lines 5 --follow\n"
    "  funcd logs api/users --json | jq .reason";

struct Logs {
  std::string name;
  AdminFlag admin;
  std::uint32_t lines = 20;
  bool is_following = false;
  bool is_json = false;
};

// Each line of a text, indented below its entry.
std::string indented(std::string_view label, const Json& text) {
  if (text.is_null()) return {};
  std::string lines;
  std::string_view rest = text.get_ref<const std::string&>();
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    lines += fmt::format("  {} {}\n", label, printable(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return lines;
}

std::string entry_text(const Json& entry) {
  const Json& reason = entry.at("reason");
  std::string text =
      fmt::format("{} {} {}", entry.at("at").get<std::string>(),
                  entry.at("invocation").get<std::string>(), entry.at("status").get<int>());
  if (!reason.is_null()) text += " " + reason.get<std::string>();
  if (!entry.at("detail").is_null())
    text += ": " + printable(entry.at("detail").get<std::string>());
  text += '\n';
  text += indented("at", entry.at("trace"));
  text += indented("|", entry.at("stderr"));
  return text;
}

Result<> show(const Logs& request) {
  const auto admin = TRY(request.admin.endpoint());
  std::uint64_t after = 0;
  std::uint32_t limit = request.lines;
  while (true) {
    const auto page = TRY(get_json(admin, fmt::format("{}/logs?after={}&limit={}",
                                                      function_path(request.name), after, limit)));
    try {
      for (const auto& entry : page.at("entries")) {
        print(request.is_json ? entry.dump() + "\n" : entry_text(entry));
      }
      // Of a server that was started anew it is lower than before.
      after = page.at("last_number").get<std::uint64_t>();
    } catch (const Json::exception& error) {
      return not_ours(admin, error);
    }
    if (!request.is_following) return {};
    limit = kLinesMax;
    std::this_thread::sleep_for(kFollowInterval);
  }
}

}  // namespace

void add_logs(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("logs", "Show what a function's invocations left to read");
  const auto request = std::make_shared<Logs>();
  verb->add_option("NAME", request->name, "the function")->required();
  verb->add_option("-n,--lines", request->lines, "the newest so many entries")
      ->type_name("N")
      ->check(CLI::Range(0U, kLinesMax))
      ->capture_default_str();
  verb->add_flag("-f,--follow", request->is_following, "go on with what comes, until interrupted");
  verb->add_flag("--json", request->is_json, "print a JSON object for each entry, one a line");
  request->admin.add_with_config_to(*verb);
  verb->footer(kFooter);
  verb->callback([request, &action] { action = [request] { return code_of(show(*request)); }; });
}

}  // namespace funcd::cli
