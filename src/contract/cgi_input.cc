#include "contract/cgi_input.h"

#include <algorithm>
#include <string>

#include "http/percent.h"

namespace funcd::contract {
namespace {

char upper(char character) {
  return character >= 'a' && character <= 'z' ? static_cast<char>(character - 'a' + 'A')
                                              : character;
}

// "accept-language" to "HTTP_ACCEPT_LANGUAGE" (RFC 3875 4.1.18).
std::string variable_of(std::string_view field) {
  std::string name = "HTTP_";
  for (const char character : field) name.push_back(character == '-' ? '_' : upper(character));
  return name;
}

// The part of the route without parameters: where the script is. The rest of the path is its own.
std::string_view script_of(std::string_view route, std::string_view path) {
  const std::size_t open = route.find_first_of("{*");
  if (open == std::string_view::npos) return path;
  return path.substr(0, route.substr(0, open).rfind('/'));
}

bool is_set_elsewhere(std::string_view field) {
  return http::equals_ignoring_case(field, "content-type") ||
         http::equals_ignoring_case(field, "content-length") ||
         http::equals_ignoring_case(field, "proxy");
}

// Repeated fields become one value (RFC 3875 4.1.18, RFC 9110 5.3).
void add_fields(engine::StringBlock& env, std::span<const http::Field> fields) {
  for (std::size_t index = 0; index < fields.size(); ++index) {
    const http::Field& field = fields[index];
    const auto is_same = [&](const http::Field& other) {
      return http::equals_ignoring_case(other.name, field.name);
    };
    const auto begin = fields.begin();
    const auto here = begin + static_cast<std::ptrdiff_t>(index);
    if (is_set_elsewhere(field.name) || std::any_of(begin, here, is_same)) continue;
    if (std::none_of(here + 1, fields.end(), is_same)) {
      env.add(variable_of(field.name), field.value);
      continue;
    }
    std::string value(field.value);
    std::for_each(here + 1, fields.end(), [&](const http::Field& other) {
      if (is_same(other)) value.append(", ").append(other.value);
    });
    env.add(variable_of(field.name), value);
  }
}

void add_server(engine::StringBlock& env, std::string_view host) {
  // "[::1]:8000", "example.com:8000", "example.com"
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && host.find(']', colon) == host.npos;
  env.add("SERVER_NAME", has_port ? host.substr(0, colon) : host);
  env.add("SERVER_PORT", has_port ? host.substr(colon + 1) : "80");
}

}  // namespace

void add_cgi_variables(engine::StringBlock& env, const Call& call) {
  const http::RequestHead& head = call.head;
  const std::string_view script = script_of(call.revision.route, head.path);
  env.add("GATEWAY_INTERFACE", "CGI/1.1");
  env.add("SERVER_SOFTWARE", "funcd/" FUNCD_VERSION);
  env.add("SERVER_PROTOCOL", head.version_minor == 0 ? "HTTP/1.0" : "HTTP/1.1");
  add_server(env, head.host);
  env.add("REQUEST_METHOD", head.method);
  env.add("SCRIPT_NAME", script);
  env.add("PATH_INFO", http::percent_decode(head.path.substr(script.size())).value_or(""));
  env.add("QUERY_STRING", head.query);
  env.add("REMOTE_ADDR", head.remote_address);
  env.add("REMOTE_HOST", head.remote_address);
  if (const auto type = head.field("content-type")) env.add("CONTENT_TYPE", *type);
  if (head.has_body) env.add("CONTENT_LENGTH", std::to_string(call.body.size()));
  add_fields(env, head.fields);
  env.add("http_path", head.path);
  env.add("http_method", head.method);
  env.add("http_host", head.host);
  env.add("http_query", head.query);
  env.add("remote_addr", fmt::format("{}:{}", head.remote_address, head.remote_port));
}

}  // namespace funcd::contract
