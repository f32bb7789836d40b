#pragma once

#include <toml++/toml.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace funcd::cli {

inline constexpr std::uint64_t kImportManifestBytesMax = 4ULL << 20;

// Reads a project's manifest; errors name file and line.
[[nodiscard]] Result<toml::table> read_toml(const std::string& path);

// A reader for a key that has no say in what is made.
[[nodiscard]] Result<> pass_over(const toml::node& node);

[[nodiscard]] Result<std::vector<std::string>> strings_of(const toml::node& node);
using TextPairs = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] Result<TextPairs> text_pairs_of(const toml::node& node);

// A reader that keeps the value: {"route", into(module.route)}.
[[nodiscard]] std::function<Result<>(const toml::node&)> into(std::string& value);
[[nodiscard]] std::function<Result<>(const toml::node&)> into(bool& value);
[[nodiscard]] std::function<Result<>(const toml::node&)> into(std::vector<std::string>& value);
[[nodiscard]] std::function<Result<>(const toml::node&)> into(TextPairs& value);

// "modules.toml:3".
[[nodiscard]] std::string place_of(std::string_view file, const toml::node& node);

}  // namespace funcd::cli
