#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace funcd {

// Appends the bytes in base64 (RFC 4648 4), padded.
void append_base64(std::string& out, std::string_view bytes);

// The bytes that a base64 text stands for; nothing where it is none: another character, a missing
// '=', or bits that belong to no byte.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace funcd
