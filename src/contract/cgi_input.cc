#include "contract/cgi_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "http/percent.h"

namespace funcd::contract {
namespace {

// Fields that no HTTP_ variable is made of: those with a variable of their own, those of the
// connection rather than the request (RFC 3875 4.1.18), and `proxy`, which would become HTTP_PROXY.
constexpr std::array<std::string_view, 9> kPassedOver = {
    "connection", "content-length",    "content-type", "keep-alive", "proxy", "proxy-connection",
    "te",         "transfer-encoding", "upgrade"};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_plain(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
}

bool has_variable(std::string_view field) {
  return std::all_of(field.begin(), field.end(), is_plain) &&
         std::none_of(kPassedOver.begin(), kPassedOver.end(), [&](std::string_view each) {
           return http::equals_ignoring_case(each, field);
         });
}

// Adds variables to the environment but for those that [env] has.
class Variables {
 public:
  Variables(engine::StringBlock& env, const registry::Manifest& manifest)
      : env_(env), manifest_(manifest) {}

  void add(std::string_view name, std::initializer_list<std::string_view> value) {
    const auto is_same = [&](const auto& each) { return each.first == name; };
    if (std::none_of(manifest_.env.begin(), manifest_.env.end(), is_same)) env_.add(name, value);
  }
  void add(std::string_view name, std::string_view value) { add(name, {value}); }

  // "accept-language" as HTTP_ACCEPT_LANGUAGE.
  void add_field(std::string_view field, std::string_view value) {
    name_ = "HTTP_";
    for (const char c : field) {
      name_ += c == '-' ? '_' : static_cast<char>(is_letter(c) ? c & ~0x20 : c);
    }
    add(name_, value);
  }

 private:
  engine::StringBlock& env_;
  const registry::Manifest& manifest_;
  std::string name_;
};

// Fields of one name become one value (RFC 3875 4.1.18): cookies by "; " (RFC 9113 8.2.3), all
// others by ", " (RFC 9110 5.3).
void add_fields(Variables& variables, std::span<const http::Field> fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const http::Field& field = fields[i];
    const auto is_same = [&](const http::Field& other) {
      return http::equals_ignoring_case(other.name, field.name);
    };
    const auto before = fields.first(i);
    const auto after = fields.subspan(i + 1);
    if (!has_variable(field.name)) continue;
    if (std::any_of(before.begin(), before.end(), is_same)) continue;
    if (std::none_of(after.begin(), after.end(), is_same)) {
      variables.add_field(field.name, field.value);
      continue;
    }
    const bool is_cookie = http::equals_ignoring_case(field.name, "cookie");
    std::string value(field.value);
    for (const http::Field& other : after) {
      if (is_same(other)) value.append(is_cookie ? "; " : ", ").append(other.value);
    }
    variables.add_field(field.name, value);
  }
}

// "[::1]:8000", "example.com:8000", "example.com".
void add_server(Variables& variables, std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != host.npos && host.find(']', colon) == host.npos;
  const std::string_view name = has_port ? host.substr(0, colon) : host;
  const std::string_view port = has_port ? host.substr(colon + 1) : "";
  variables.add("SERVER_NAME", name.empty() ? "localhost" : name);
  variables.add("SERVER_PORT", port.empty() ? "80" : port);
}

// How much of the raw path the static part of the route takes: its segments before the first
// parameter or '*'. Segments are counted, as those of the path may be percent-encoded.
std::size_t script_size_of(std::string_view route, std::string_view path) {
  const std::size_t open = route.find_first_of("{*");
  if (open == route.npos) return path.size();
  // "/users/{id}" has its parameter behind two slashes: all before the second is the script's.
  auto slashes = std::count(route.begin(), route.begin() + static_cast<std::ptrdiff_t>(open), '/');
  std::size_t at = 0;
  for (at = path.find('/'); --slashes > 0 && at != path.npos; at = path.find('/', at + 1)) {
  }
  return std::min(at, path.size());
}

// A path as it was meant: itself, where nothing in it is encoded.
class DecodedPath {
 public:
  explicit DecodedPath(std::string_view raw) : text_(raw) {
    if (raw.find('%') == raw.npos) return;
    if (auto decoded = http::percent_decode(raw)) text_ = decoded_ = *std::move(decoded);
  }
  DecodedPath(const DecodedPath&) = delete;
  DecodedPath& operator=(const DecodedPath&) = delete;
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  std::string decoded_;
  std::string_view text_;
};

void add_url(Variables& variables, const http::RequestHead& head) {
  // An absolute target is one already (RFC 9112 3.2.2).
  if (!head.target.starts_with('/')) return variables.add("X_FULL_URL", head.target);
  variables.add("X_FULL_URL",
                {"http://", head.host.empty() ? "localhost" : head.host, head.target});
}

}  // namespace

void add_cgi_arguments(engine::StringBlock& args, const Call& call) {
  std::string_view rest = call.head.query;
  if (rest.empty()) return;
  const bool is_search = rest.find('=') == rest.npos;
  if (is_search && call.head.method != "GET" && call.head.method != "HEAD") return;
  const char separator = is_search ? '+' : '&';
  std::vector<std::string> words;
  for (bool is_last = false; !is_last;) {
    const std::size_t end = rest.find(separator);
    is_last = end == rest.npos;
    std::string_view word = rest.substr(0, end);
    rest.remove_prefix(is_last ? rest.size() : end + 1);
    auto text = is_search ? http::percent_decode(word) : std::string(word);
    // "If the server cannot create any part of the argument list", there is none.
    if (!text || text->find('\0') != text->npos) return;
    words.push_back(*std::move(text));
  }
  for (const std::string& word : words) args.add(word);
}

void add_cgi_variables(engine::StringBlock& env, const Call& call) {
  const http::RequestHead& head = call.head;
  const std::size_t script_size = script_size_of(call.revision.route, head.path);
  Variables variables(env, call.revision.manifest);
  variables.add("GATEWAY_INTERFACE", "CGI/1.1");
  variables.add("SERVER_SOFTWARE", "funcd/" FUNCD_VERSION);
  variables.add("SERVER_PROTOCOL", head.version_minor == 0 ? "HTTP/1.0" : "HTTP/1.1");
  add_server(variables, head.host);
  variables.add("REQUEST_METHOD", head.method);
  variables.add("SCRIPT_NAME", DecodedPath(head.path.substr(0, script_size)).text());
  const std::string_view raw_path_info = head.path.substr(script_size);
  const DecodedPath path_info(raw_path_info);
  variables.add("PATH_INFO", path_info.text());
  // The guest's own tree is the only one that a path could be translated to.
  if (!call.revision.mounts.empty() && !path_info.text().empty()) {
    variables.add("PATH_TRANSLATED", path_info.text());
  }
  variables.add("QUERY_STRING", head.query);
  variables.add("REMOTE_ADDR", head.remote_address);
  variables.add("REMOTE_HOST", head.remote_address);
  if (const auto type = head.field("content-type")) variables.add("CONTENT_TYPE", *type);
  // RFC 3875 4.1.2. Of a chunked body that goes to the guest as it comes nobody knows it yet.
  if (head.content_length) {
    variables.add("CONTENT_LENGTH", fmt::to_string(*head.content_length));
  } else if (head.has_body && !call.is_body_in_parts) {
    variables.add("CONTENT_LENGTH", fmt::to_string(call.body.size()));
  }
  add_fields(variables, head.fields);
  variables.add("X_MATCHED_ROUTE", call.revision.route);
  variables.add("X_RAW_PATH_INFO", raw_path_info);
  add_url(variables, head);
  variables.add("http_path", DecodedPath(head.path).text());
  variables.add("http_method", head.method);
  variables.add("http_host", head.host);
  variables.add("http_query", head.query);
  variables.add("remote_addr", {head.remote_address, ":", fmt::to_string(head.remote_port)});
}

}  // namespace funcd::contract
