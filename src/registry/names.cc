#include "registry/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "registry/canary.h"
#include "registry/route.h"

namespace funcd::registry {
namespace {

constexpr std::string_view kIndex = "index";

// "[id]" or "[...rest]": what stands in the brackets, or nothing.
std::optional<std::string_view> in_brackets(std::string_view segment) {
  if (!segment.starts_with('[') || !segment.ends_with(']')) return std::nullopt;
  return segment.substr(1, segment.size() - 2);
}

bool takes_rest(std::string_view segment) {
  return segment.starts_with("[...");
}

std::string_view parameter_of(std::string_view bracketed) {
  return bracketed.starts_with("...") ? bracketed.substr(3) : bracketed;
}

std::optional<std::string> segment_problem(std::string_view segment) {
  if (segment.empty()) return "has an empty name";
  if (segment.front() == '.') return fmt::format("'{}' is hidden: it begins with '.'", segment);
  if (const auto inside = in_brackets(segment)) {
    if (is_parameter_name(parameter_of(*inside))) return std::nullopt;
    return fmt::format("'{}' is no parameter; write [name] or [...name] with letters, digits, '_'",
                       segment);
  }
  if (std::all_of(segment.begin(), segment.end(), is_name_char)) return std::nullopt;
  return fmt::format("'{}' is no name for a function; use letters, digits, '-', '_', or [name]",
                     segment);
}

// Takes the first segment off a name.
std::string_view take_segment(std::string_view& name) {
  const std::string_view segment = name.substr(0, name.find('/'));
  name.remove_prefix(std::min(segment.size() + 1, name.size()));
  return segment;
}

}  // namespace

std::optional<std::string> name_problem(std::string_view name) {
  const std::string_view file = name.substr(name.rfind('/') + 1);
  if (const auto canary = canary_name_of(name)) {
    name = canary->function;
  } else if (file.find('@') != std::string_view::npos) {
    return fmt::format("'{}': after '@' comes the number of a canary, 1 to {}: hello@2", file,
                       kCanaryNumberMax);
  }
  if (name.empty() || name.ends_with('/')) return "has an empty name";
  while (!name.empty()) {
    const std::string_view segment = take_segment(name);
    if (auto problem = segment_problem(segment)) return problem;
    if (takes_rest(segment) && !name.empty() && name != kIndex) {
      return fmt::format("'{}' takes all that is left, so nothing but an index comes after it",
                         segment);
    }
  }
  return std::nullopt;
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

std::string route_of_name(std::string_view name) {
  std::string route;
  while (!name.empty()) {
    const std::string_view segment = take_segment(name);
    if (name.empty() && segment == kIndex) break;
    const auto inside = in_brackets(segment);
    if (!inside) {
      route += fmt::format("/{}", segment);
    } else {
      route += fmt::format("/{{{}{}}}", takes_rest(segment) ? "*" : "", parameter_of(*inside));
    }
  }
  return route.empty() ? "/" : route;
}

}  // namespace funcd::registry
