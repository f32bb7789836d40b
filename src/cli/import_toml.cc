#include "cli/import_toml.h"

#include "base/file.h"
#include "registry/toml_table.h"

namespace funcd::cli {

Result<toml::table> read_toml(const std::string& path) {
  const std::string text = TRY(read_text_file(path, kImportManifestBytesMax));
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return fail("{}:{}: {}", path, error.source().begin.line, error.description());
  }
}

Result<> pass_over(const toml::node& /*node*/) {
  return {};
}

Result<std::vector<std::string>> strings_of(const toml::node& node) {
  std::vector<std::string> texts;
  for (const toml::node& item : *TRY(registry::array_of(node))) {
    texts.push_back(TRY(registry::string_of(item)));
  }
  return texts;
}

Result<TextPairs> text_pairs_of(const toml::node& node) {
  TextPairs pairs;
  for (const auto& [key, value] : registry::in_file_order(*TRY(registry::table_of(node)))) {
    auto text = registry::string_of(*value);
    if (!text) return fail("{}: {}", key->str(), text.error().message);
    pairs.emplace_back(key->str(), std::move(*text));
  }
  return pairs;
}

std::function<Result<>(const toml::node&)> into(std::string& value) {
  return [&value](const toml::node& node) -> Result<> {
    value = TRY(registry::string_of(node));
    return {};
  };
}

std::function<Result<>(const toml::node&)> into(bool& value) {
  return [&value](const toml::node& node) -> Result<> {
    value = TRY(registry::boolean_of(node));
    return {};
  };
}

std::function<Result<>(const toml::node&)> into(std::vector<std::string>& value) {
  return [&value](const toml::node& node) -> Result<> {
    value = TRY(strings_of(node));
    return {};
  };
}

std::function<Result<>(const toml::node&)> into(TextPairs& value) {
  return [&value](const toml::node& node) -> Result<> {
    value = TRY(text_pairs_of(node));
    return {};
  };
}

std::string place_of(std::string_view file, const toml::node& node) {
  return fmt::format("{}:{}", file, node.source().begin.line);
}

}  // namespace funcd::cli
