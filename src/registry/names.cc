#include "registry/names.h"

#include <fmt/format.h>

#include <algorithm>

namespace funcd::registry {
namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

}  // namespace

std::optional<std::string> name_problem(std::string_view name) {
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view segment = name.substr(begin, end - begin);
    begin = end + 1;
    if (segment.empty()) return "has an empty name";
    if (segment.front() == '.') return fmt::format("'{}' is hidden: it begins with '.'", segment);
    if (!std::all_of(segment.begin(), segment.end(), is_name_char)) {
      return fmt::format("'{}' is no name for a function; use letters, digits, '-', '_'", segment);
    }
  }
  return std::nullopt;
}

}  // namespace funcd::registry
