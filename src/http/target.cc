#include "http/target.h"

#include <algorithm>

#include "http/characters.h"
#include "http/message.h"

namespace funcd::http {
namespace {

// unreserved, sub-delims and '%' (RFC 3986 3.2.2).
constexpr CharacterSet kRegNameCharacters(kLettersAndDigits, "-._~!$&'()*+,;=%");
constexpr CharacterSet kIpLiteralCharacters(kLettersAndDigits, ":.");

bool is_all_of(std::string_view text, const CharacterSet& set) {
  return std::all_of(text.begin(), text.end(), [&set](char c) { return set.has(c); });
}

bool is_port(std::string_view text) {
  if (text.empty()) return true;
  if (!is_digits(text) || text.size() > 5) return false;
  int port = 0;
  for (const char c : text) port = port * 10 + (c - '0');
  return port <= 65535;
}

std::optional<std::string_view> without_scheme(std::string_view target) {
  for (const std::string_view scheme :
       {std::string_view("http://"), std::string_view("https://")}) {
    if (target.size() >= scheme.size() &&
        equals_ignoring_case(target.substr(0, scheme.size()), scheme)) {
      return target.substr(scheme.size());
    }
  }
  return std::nullopt;
}

Target split_query(std::string_view path_and_query) {
  Target parts;
  const std::size_t mark = path_and_query.find('?');
  parts.path = path_and_query.substr(0, mark);
  if (mark != std::string_view::npos) parts.query = path_and_query.substr(mark + 1);
  return parts;
}

}  // namespace

bool is_origin_form(std::string_view target) {
  return target.starts_with('/') && parse_target("GET", target) &&
         std::ranges::all_of(target, [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_host(std::string_view text) {
  if (text.empty()) return true;
  std::size_t host_end = 0;
  if (text.front() == '[') {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || bracket < 2) return false;
    const std::string_view literal = text.substr(1, bracket - 1);
    if (!is_all_of(literal, kIpLiteralCharacters)) return false;
    host_end = bracket + 1;
  } else {
    host_end = std::min(text.find(':'), text.size());
    const std::string_view name = text.substr(0, host_end);
    if (name.empty() || !is_all_of(name, kRegNameCharacters)) return false;
  }
  if (host_end == text.size()) return true;
  return text[host_end] == ':' && is_port(text.substr(host_end + 1));
}

std::optional<Target> parse_target(std::string_view method, std::string_view target) {
  if (target.find('#') != std::string_view::npos) return std::nullopt;
  if (target.starts_with('/')) return split_query(target);
  if (target == "*") {
    if (method != "OPTIONS") return std::nullopt;
    return Target{.path = target, .query = {}, .authority = std::nullopt};
  }
  const std::optional<std::string_view> rest = without_scheme(target);
  if (!rest) return std::nullopt;
  const std::size_t end = std::min(rest->find_first_of("/?"), rest->size());
  const std::string_view authority = rest->substr(0, end);
  if (authority.empty() || !is_host(authority)) return std::nullopt;
  Target parts = split_query(rest->substr(end));
  if (parts.path.empty()) parts.path = "/";
  parts.authority = authority;
  return parts;
}

}  // namespace funcd::http
