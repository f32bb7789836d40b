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

Result<http::Endpoint> AdminFlag::endpoint() const {
  if (is_given()) return http::parse_endpoint(text_);
  const auto named = server::process_environment(kVariable);
  if (!named || named->empty()) return *server::Config().admin;
  auto endpoint = http::parse_endpoint(*named);
  if (!endpoint) return fail("environment variable {}: {}", kVariable, endpoint.error().message);
  return endpoint;
}

}  // namespace funcd::cli
