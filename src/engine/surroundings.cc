#include "engine/surroundings.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "funcd_bridge.h"

namespace funcd::engine {
namespace {

constexpr std::string_view kWildcard = "*.";
// RFC 1035 2.3.4.
constexpr std::size_t kHostBytesMax = 253;

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

Result<std::string> parse_host(std::string_view text) {
  std::string host = lower(text);
  if (host == "*") return host;
  std::string_view name = host;
  if (name.starts_with(kWildcard)) name.remove_prefix(kWildcard.size());
  const bool is_name = !name.empty() && name.size() <= kHostBytesMax && name.front() != '.' &&
                       name.back() != '.' &&
                       std::all_of(name.begin(), name.end(), is_host_character);
  if (!is_name) {
    return fail(
        "'{}' is no host; write a name, \"*.example.com\" for the names below one, \"*\" for every "
        "public host, or an address, an IPv6 one in brackets",
        text);
  }
  return host;
}

// Of "[::1]" without its brackets.
Result<std::string> parse_ipv6(std::string_view text) {
  const bool is_address = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
           c == '.';
  });
  if (!is_address) return fail("'[{}]' is no IPv6 address", text);
  return std::string(text);
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return fail("'{}' is no port; ports are 1 to 65535", text);
  }
  return port;
}

// Name, value, name, value as C strings.
template <class Pairs>
std::vector<const char*> c_strings(const Pairs& pairs) {
  std::vector<const char*> texts;
  texts.reserve(pairs.size() * 2);
  for (const auto& [name, value] : pairs) {
    texts.push_back(name.c_str());
    texts.push_back(value.c_str());
  }
  return texts;
}

}  // namespace

Result<OutboundRule> parse_outbound_rule(std::string_view text) {
  OutboundRule rule;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rule.scheme = OutboundRule::Scheme::http;
    rule.port = 80;
    rest.remove_prefix(7);
  } else {
    return fail("'{}' has no scheme; write \"https://api.example.com\" or \"http://...\"", text);
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#@ ") != std::string_view::npos) {
    return fail("'{}' has more than scheme, host and port; write \"https://api.example.com\"",
                text);
  }
  std::string_view port;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return fail("'{}' has a '[' without its ']'", text);
    rule.host = TRY(parse_ipv6(rest.substr(1, end - 1)));
    port = rest.substr(end + 1);
  } else {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    rule.host = TRY(parse_host(rest.substr(0, end)));
    port = rest.substr(end);
  }
  if (port.empty()) return rule;
  if (port.front() != ':') return fail("'{}' is no port", port);
  rule.port = TRY(parse_port(port.substr(1)));
  return rule;
}

std::string text_of(const OutboundRule& rule) {
  const bool is_https = rule.scheme == OutboundRule::Scheme::https;
  const bool is_ipv6 = rule.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", is_https ? "https" : "http", is_ipv6 ? "[" : "", rule.host,
                     is_ipv6 ? "]" : "", rule.port);
}

Surroundings::Surroundings(const Spec& spec) {
  const std::vector<const char*> env = c_strings(spec.env);
  std::vector<const char*> mounts;
  std::vector<std::uint8_t> are_writable;
  for (const Mount& mount : spec.mounts) {
    mounts.push_back(mount.host.c_str());
    mounts.push_back(mount.guest.c_str());
    are_writable.push_back(mount.is_writable ? 1 : 0);
  }
  std::vector<fb_outbound_rule> rules;
  rules.reserve(spec.outbound.size());
  for (const OutboundRule& rule : spec.outbound) {
    rules.push_back({rule.scheme == OutboundRule::Scheme::https, rule.port, rule.host.c_str()});
  }
  static_assert(sizeof(bool) == sizeof(std::uint8_t));
  const fb_surroundings_spec bridge_spec = {
      .env = env.data(),
      .env_count = spec.env.size(),
      .mounts = mounts.data(),
      .is_writable = reinterpret_cast<const bool*>(are_writable.data()),
      .mount_count = are_writable.size(),
      .rules = rules.data(),
      .rule_count = rules.size(),
      .outbound_request_bytes_max = spec.outbound_limits.request_bytes_max,
      .outbound_response_bytes_max = spec.outbound_limits.response_bytes_max,
      .connect_timeout_ms =
          static_cast<std::uint64_t>(spec.outbound_limits.connect_timeout.count()),
  };
  surroundings_ = fb_surroundings_new(&bridge_spec);
}

Surroundings::Surroundings(Surroundings&& other) noexcept {
  *this = std::move(other);
}

Surroundings& Surroundings::operator=(Surroundings&& other) noexcept {
  std::swap(surroundings_, other.surroundings_);
  return *this;
}

Surroundings::~Surroundings() {
  if (surroundings_ != nullptr) fb_surroundings_delete(surroundings_);
}

}  // namespace funcd::engine
