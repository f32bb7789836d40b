#pragma once

#include <optional>
#include <string_view>

namespace funcd::contract {

// The status that a program names, "404"; nothing when no final response can have it: one from 100
// to 199, or what is no number of three digits.
[[nodiscard]] std::optional<int> final_status_of(std::string_view digits);

// Whether a final response can have it.
[[nodiscard]] bool is_final_status(int status);

// Whether a response of that status has a body at all (RFC 9110 6.4.1).
[[nodiscard]] bool may_have_body(int status);

}  // namespace funcd::contract
