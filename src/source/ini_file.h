#pragma once

#include <map>
#include <string>
#include <string_view>

namespace funcd::source {

// Sections of keys and values, as in ~/.aws/config. What is indented under a key is not ours.
using IniFile = std::map<std::string, std::map<std::string, std::string>>;

// Never fails: what is no section and no "key = value" is left out, as the AWS tools do.
[[nodiscard]] IniFile parse_ini(std::string_view text);

}  // namespace funcd::source
