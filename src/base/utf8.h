#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace funcd {

// Length in bytes of the well-formed UTF-8 sequence at the start of `text` (Unicode 15, table 3-7:
// no overlong form, no surrogate, nothing above U+10FFFF); 0 when there is none.
[[nodiscard]] std::size_t utf8_size(std::string_view text);

// Whether all of it is well-formed.
[[nodiscard]] bool is_utf8(std::string_view text);

// How many characters a well-formed text has.
[[nodiscard]] std::size_t utf8_count(std::string_view text);

// For messages: a text that has more than `bytes_max` is cut at the end of a character, and "..."
// follows.
[[nodiscard]] std::string cut_short(std::string_view text, std::size_t bytes_max);

// For a terminal, whose cursor a foreign text must not move: control characters and bytes that are
// no UTF-8 become \x1b and the like.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace funcd
