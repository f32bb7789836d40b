#include "registry/manifest_outbound.h"

#include <algorithm>

namespace funcd::registry {
namespace {

constexpr std::size_t kRulesMax = 1'000;

Result<> read_allow(const toml::node& node, std::vector<engine::OutboundRule>& rules) {
  const toml::array& array = *TRY(array_of(node));
  if (array.size() > kRulesMax) {
    return fail("has {} entries, more than the {} that are read", array.size(), kRulesMax);
  }
  for (const toml::node& item : array) {
    const std::string text = TRY(string_of(item));
    engine::OutboundRule rule = TRY(engine::parse_outbound_rule(text));
    if (std::find(rules.begin(), rules.end(), rule) != rules.end()) {
      return fail("'{}' appears twice", text);
    }
    rules.push_back(std::move(rule));
  }
  return {};
}

Result<> read_bytes(const toml::node& node, std::uint64_t& bytes) {
  const std::string text = TRY(string_of(node));
  bytes = TRY(parse_size(text));
  return {};
}

Result<> read_connect_timeout(const toml::node& node, std::chrono::milliseconds& timeout) {
  const std::string text = TRY(string_of(node));
  timeout = TRY(parse_duration(text));
  if (timeout.count() == 0) return fail("is no time to connect in; write \"10s\"");
  return {};
}

}  // namespace

Result<> read_outbound(const toml::table& table, std::string_view file, Manifest& manifest) {
  Outbound& outbound = manifest.outbound;
  return TomlTable(table, "outbound", file)
      .read({
          {"allow", [&](const toml::node& node) { return read_allow(node, outbound.allow); }},
          {"request_body",
           [&](const toml::node& node) {
             return read_bytes(node, outbound.limits.request_bytes_max);
           }},
          {"response_body",
           [&](const toml::node& node) {
             return read_bytes(node, outbound.limits.response_bytes_max);
           }},
          {"connect_timeout",
           [&](const toml::node& node) {
             return read_connect_timeout(node, outbound.limits.connect_timeout);
           }},
      });
}

}  // namespace funcd::registry
