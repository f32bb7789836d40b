#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace funcd::registry {

inline constexpr std::size_t kRouteBytesMax = 1024;
inline constexpr std::size_t kRouteSegmentsMax = 32;

// One piece of a route between two '/'.
struct Segment {
  enum class Kind : std::uint8_t {
    literal,    // "users"; empty only as the last one: "/users/"
    parameter,  // "{id}": one segment that is not empty
    rest,       // "*" or "{*name}", the last one: all that is left, perhaps nothing
  };
  Kind kind = Kind::literal;
  std::string text;  // the literal, decoded; the parameter's name; "*" or the rest's name
};

// Segments of a route as a sidecar writes it: "/users/{id}", "/files/*", "/files/{*path}",
// "/robots.txt", "/".
// Literals are written decoded and hold nothing that a raw path would have to encode, other than
// letters beyond ASCII. Errors name the route: "route /a/{id}/{id}: parameter 'id' appears twice".
[[nodiscard]] Result<std::vector<Segment>> parse_route(std::string_view route);

// What two routes that meet the same paths have in common: "/users/{}" for "/users/{id}".
[[nodiscard]] std::string shape_of(const std::vector<Segment>& segments);

// Whether it can stand between the braces of a route: a letter or '_', then letters, digits, '_',
// '-'.
[[nodiscard]] bool is_parameter_name(std::string_view name);

// Whether every segment is a literal.
[[nodiscard]] bool is_static(const std::vector<Segment>& segments);

}  // namespace funcd::registry
