#include "cli/admin_flag.h"

#include "server/config.h"

namespace funcd::cli {
namespace {

constexpr const char* kVariable = "FUNCD_ADMIN";

}  // namespace

CLI::Option* AdminFlag::add_to(CLI::App& verb) {
  return verb.add_option("--admin", text_, "the server's admin address")
      ->type_name("HOST:PORT")
      ->check([](const std::string& text) {
        const auto endpoint = http::parse_endpoint(text);
        return endpoint ? std::string() : endpoint.error().message;
      });
}

void AdminFlag::add_with_config_to(CLI::App& verb) {
  verb.add_option_function<std::string>(
          "--config", [this](const std::string& file) { config_file_ = file; },
          "read admin from FILE (default: funcd.toml, if it is there)")
      ->type_name("FILE");
  add_to(verb)->default_str(http::format_endpoint(*server::Config().admin));
}

Result<http::Endpoint> AdminFlag::endpoint() const {
  if (is_given()) return http::parse_endpoint(text_);
  const auto named = server::process_environment(kVariable);
  if (!named || named->empty()) return endpoint_of_file();
  auto endpoint = http::parse_endpoint(*named);
  if (!endpoint) return fail("environment variable {}: {}", kVariable, endpoint.error().message);
  return endpoint;
}

Result<http::Endpoint> AdminFlag::endpoint_of_file() const {
  const auto config = TRY(server::load_config_file(
      {.config_file = config_file_, .flags = {}, .environment = server::process_environment}));
  if (config.admin) return *config.admin;
  return fail("{}: admin is off, so there is nobody to ask; name an address with --admin HOST:PORT",
              config.config_file);
}

}  // namespace funcd::cli
