#include <toml++/toml.h>
#include <filesystem>
#include <sstream>

#include "base/suggestion.h"
#include "server/config.h"
#include "server/config_option.h"

namespace funcd::server {
namespace {

// The part of an option's key before the dot, and the part after it.
std::string_view section_of(std::string_view key) {
  const auto dot = key.find('.');
  return dot == std::string_view::npos ? std::string_view() : key.substr(0, dot);
}
std::string_view name_in_section(std::string_view key) {
  const auto dot = key.find('.');
  return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

bool is_section(std::string_view name) {
  return std::ranges::any_of(
      options(), [name](const Option& option) { return section_of(option.key) == name; });
}

// What may stand in a section; sections themselves count as keys of the top.
std::vector<std::string_view> known_in(std::string_view section) {
  std::vector<std::string_view> known;
  for (const auto& option : options()) {
    const auto own = section_of(option.key);
    if (own == section) known.push_back(name_in_section(option.key));
    if (section.empty() && !own.empty()) known.push_back(own);
  }
  std::ranges::sort(known);
  const auto repeated = std::ranges::unique(known);
  known.erase(repeated.begin(), repeated.end());
  return known;
}

Error unknown_key(std::string_view name, std::string_view section) {
  const auto known = known_in(section);
  const auto meant = nearest(name, known);
  return Error{fmt::format("unknown key '{}'{}{}; known are {}", name,
                           section.empty() ? std::string() : fmt::format(" in [{}]", section),
                           meant ? fmt::format(", did you mean '{}'?", *meant) : std::string(),
                           fmt::join(known, ", "))};
}

// A value as the text that a flag would have. The type must fit the option: `workers = "4"` is a
// mistake worth telling.
Result<std::string> text_of(const toml::node& node, const Option& option) {
  const bool is_count = std::holds_alternative<CountField>(option.field) ||
                        std::holds_alternative<Count32Field>(option.field);
  const bool is_bytes = std::holds_alternative<BytesField>(option.field);
  if (std::holds_alternative<SwitchField>(option.field)) {
    if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
    return fail("{}: expected true or false", option.key);
  }
  if (const auto* value = node.as_integer(); value != nullptr && (is_count || is_bytes)) {
    return std::to_string(value->get());
  }
  if (const auto* value = node.as_string(); value != nullptr && !is_count) return value->get();
  return fail("{}: expected {}", option.key,
              is_count                                              ? "a whole number"
              : is_bytes                                            ? "a size such as \"64MiB\""
              : std::holds_alternative<DurationField>(option.field) ? "a duration such as \"10s\""
                                                                    : "a string");
}

class FileReader {
 public:
  FileReader(Config& config, const std::string& file) : config_(config), file_(file) {}

  Result<> read(const toml::table& table, std::string_view section) {
    for (const auto& [key, node] : table) {
      const auto line = key.source().begin.line;
      if (auto applied = apply(key.str(), node, section); !applied) {
        return fail("{}:{}: {}", file_, line, applied.error().message);
      }
      if (section.empty() && is_section(key.str())) TRY(read(*node.as_table(), key.str()));
    }
    return {};
  }

 private:
  Result<> apply(std::string_view name, const toml::node& node, std::string_view section) {
    const auto key = section.empty() ? std::string(name) : fmt::format("{}.{}", section, name);
    const auto* option = find_option(key);
    if (option != nullptr) {
      const auto text = TRY(text_of(node, *option));
      if (auto set = set_option(config_, *option, text); !set) {
        return fail("{}: {}", key, set.error().message);
      }
      if (const auto* path = std::get_if<PathField>(&option->field)) {
        resolve(path->member(config_));
      }
      return {};
    }
    if (!section.empty() || !is_section(name)) return fail(unknown_key(name, section));
    if (!node.is_table()) return fail("'{}' is a section: write [{}]", name, name);
    return {};
  }

  // A path in a file is meant relative to that file, wherever funcd is started. Empty: none.
  void resolve(std::string& path) const {
    if (path.empty() || source::is_s3_url(path)) return;
    const auto folder = std::filesystem::path(file_).parent_path();
    if (!folder.empty()) path = (folder / path).lexically_normal().string();
  }

  Config& config_;
  const std::string& file_;
};

}  // namespace

Result<> apply_config_file(Config& config, std::string_view toml, const std::string& file) {
  try {
    return FileReader(config, file).read(toml::parse(toml, file), "");
  } catch (const toml::parse_error& error) {
    return fail("{}:{}: {}", file, error.source().begin.line, error.description());
  }
}

}  // namespace funcd::server
