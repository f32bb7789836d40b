#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace funcd {

// The candidate that `word` was probably meant to be: at most a third of its letters differ.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word,
                                                      std::span<const std::string_view> candidates);

}  // namespace funcd
