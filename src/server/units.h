#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace funcd::server {

// "3.3 MiB", "812 B": for people, rounded.
[[nodiscard]] std::string approximate_size(std::uint64_t bytes);

// A whole number in decimal, between min and max.
[[nodiscard]] Result<std::uint64_t> parse_count(std::string_view text, std::uint64_t min,
                                                std::uint64_t max);

}  // namespace funcd::server
