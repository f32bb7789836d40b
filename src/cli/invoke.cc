#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/admin_client.h"
#include "cli/admin_flag.h"
#include "cli/verbs.h"

namespace funcd::cli {
namespace {

constexpr const char* kFooter =
    "Prints the body of the response. Exit code: 0 when the status is below 400, else 1.\n"
    "\n"
    "Examples:\n"
    "  funcd invoke hello\n"
    "  funcd invoke gojson --data '{\"name\": \"ada\", \"age\": 36}'\n"
    "  funcd invoke users --path /users/7?full=1";

struct Invoke {
  std::string name;
  std::string data;
  std::string method;
  std::string path;
  std::string host;
  AdminFlag admin;
};

// Where a function answers: the server's address, and the path and the host of the request.
struct Target {
  http::Endpoint server;
  std::string path;
  std::string host;  // empty: the server's
};

// Who is to meet a canary is not for one request to say.
Result<> refuse_canary(const Invoke& invoke, const nlohmann::ordered_json& function) {
  const auto& canary = function.at("canary");
  if (canary.is_null()) return {};
  const auto of = canary.at("of").get<std::string>();
  return fail(
      "{0} is a canary, and gets its share of the requests for {1}: funcd invoke {1} meets one of "
      "the two; give {0} all of them with weight = \"100%\" first",
      invoke.name, of);
}

// The host to ask for: of the flag, else the function's.
Result<std::string> host_of(const Invoke& invoke, const nlohmann::ordered_json& function) {
  const auto& host = function.at("host");
  if (!invoke.host.empty() || host.is_null()) return invoke.host;
  auto name = host.get<std::string>();
  if (name.starts_with('*')) {
    return fail("{} answers at {}; name the host with --host", invoke.name, name);
  }
  return name;
}

Result<Target> find(const Invoke& invoke) {
  const auto admin = TRY(invoke.admin.endpoint());
  const auto function = TRY(get_json(admin, function_path(invoke.name)));
  const auto status = TRY(get_json(admin, "/v1/status"));
  try {
    if (function.at("route").is_null()) {
      return fail("{} is not live: {}", invoke.name,
                  function.at("error").is_null() ? "it is being built"
                                                 : function.at("error").get<std::string>());
    }
    TRY(refuse_canary(invoke, function));
    const auto listen = status.at("listen").get<std::string>();
    Target target;
    target.server = TRY(http::parse_endpoint(listen.substr(listen.find("://") + 3)));
    target.path = invoke.path.empty() ? function.at("route").get<std::string>() : invoke.path;
    if (target.path.find_first_of("{*") != std::string::npos) {
      return fail("{} answers at {}; name the path with --path", invoke.name, target.path);
    }
    target.host = TRY(host_of(invoke, function));
    return target;
  } catch (const nlohmann::json::exception& error) {
    return not_ours(admin, error);
  }
}

int invoke_once(const Invoke& invoke) {
  const auto target = find(invoke);
  if (!target) return report(target.error(), kBad);
  ClientRequest wanted;
  wanted.method = !invoke.method.empty() ? invoke.method : invoke.data.empty() ? "GET" : "POST";
  wanted.target = target->path;
  wanted.host = target->host;
  wanted.body = invoke.data;
  wanted.timeout = std::chrono::minutes(10);  // the server's own limits are shorter
  const auto response = request(target->server, wanted);
  if (!response) return report(response.error(), kBad);
  const bool needs_newline =
      ::isatty(STDOUT_FILENO) == 1 && !response->body.empty() && !response->body.ends_with('\n');
  print(fmt::format("{}{}", response->body, needs_newline ? "\n" : ""));
  if (response->status < 400) return kDone;
  return report(Error{fmt::format("{}: status {}{}{}", invoke.name, response->status,
                                  response->reason.empty() ? "" : ", ", response->reason)},
                kBad);
}

}  // namespace

void add_invoke(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("invoke", "Send a request to a function of a running server");
  const auto request = std::make_shared<Invoke>();
  verb->add_option("NAME", request->name, "the function")->required();
  verb->add_option("--data", request->data, "the request's body; makes it a POST")
      ->type_name("JSON");
  verb->add_option("--method", request->method, "instead of GET or POST")->type_name("METHOD");
  verb->add_option("--path", request->path, "instead of the function's route")->type_name("PATH");
  verb->add_option("--host", request->host, "instead of the function's host, or the server's")
      ->type_name("HOST");
  request->admin.add_with_config_to(*verb);
  verb->footer(kFooter);
  verb->callback([request, &action] { action = [request] { return invoke_once(*request); }; });
}

}  // namespace funcd::cli
