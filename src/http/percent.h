#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace funcd::http {

// What '+' means: itself in a path, a space in a query or form (application/x-www-form-urlencoded).
enum class Plus : std::uint8_t { literal, space };

// Percent-decodes once (RFC 3986 2.1), so that "%2541" becomes "%41". Any byte may come out, NUL
// and '/' too: the caller says what it refuses. Nothing where a '%' has no two hex digits after it.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text,
                                                        Plus plus = Plus::literal);

}  // namespace funcd::http
