#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace funcd::registry {

// How text and numbers pass for other types: the rules of pydantic's lax mode, which the users of
// the `data` contract know. Each appends JSON to `out` and returns true, or leaves `out` alone.

// The text of a string: "20", " +2_0.00 ", "123456789012345678901234567890"; at most
// kIntegerDigitsMax digits. No exponents, no fractions but zeros.
[[nodiscard]] bool append_integer_of_text(std::string& out, std::string_view text);
// A JSON number: digits as they stand, or a fraction or exponent that stands for a whole number
// below 2^63.
[[nodiscard]] bool append_integer_of_number(std::string& out, std::string_view number);
// The text of a string: "1.5", " 1e3 ", ".5", "1_000". No NaN and no infinity.
[[nodiscard]] bool append_number_of_text(std::string& out, std::string_view text);
// true: "true", "t", "yes", "y", "on", "1"; false likewise; in any case of letters.
[[nodiscard]] std::optional<bool> boolean_of_text(std::string_view text);

inline constexpr std::size_t kIntegerDigitsMax = 4300;

// A JSON number's value, to compare and to divide.
struct Number {
  double approximate = 0;             // the nearest double; may be infinite
  std::optional<std::int64_t> exact;  // when it is written as an integer, and fits
  bool is_whole = false;              // also 1.0 and 1e3
  // The sign of the difference between two numbers.
  [[nodiscard]] static int compare(const Number& left, const Number& right);
};
[[nodiscard]] Number number_of(std::string_view json_number);

}  // namespace funcd::registry
