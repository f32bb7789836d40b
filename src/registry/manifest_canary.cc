#include "registry/manifest_canary.h"

namespace funcd::registry {

Result<> read_canary(const toml::table& table, std::string_view file, Manifest& manifest) {
  CanarySpec& canary = manifest.canary.emplace();
  manifest.lines.canary = table.source().begin.line;
  const auto read_weight = [&canary](const toml::node& node) -> Result<> {
    if (!node.is_string()) return fail("expected a string such as \"5%\", got {}", kind_of(node));
    const std::string text = TRY(string_of(node));
    canary.weight = TRY(parse_weight(text));
    return {};
  };
  const auto read_sticky = [&canary](const toml::node& node) -> Result<> {
    const std::string text = TRY(string_of(node));
    canary.sticky = TRY(parse_stickiness(text));
    return {};
  };
  return TomlTable(table, "canary", file).read({{"weight", read_weight}, {"sticky", read_sticky}});
}

}  // namespace funcd::registry
