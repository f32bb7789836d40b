#pragma once

#include <string>
#include <string_view>

namespace funcd {

// Without the spaces at both ends; what counts as one can be said.
[[nodiscard]] std::string_view trimmed(std::string_view text, std::string_view spaces = " \t");

// In lower case. ASCII only: protocols and host names know no other letters.
[[nodiscard]] constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
[[nodiscard]] std::string lower(std::string_view text);

}  // namespace funcd
