#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace funcd::registry {

// Escapes such as "\ud800" may stand for half of a surrogate pair, which JSON's grammar allows
// (RFC 8259 8.2) though it is no text. The parser does not take them; so where it fails, they are
// exchanged for a code point that Unicode keeps free for such internal use.
inline constexpr std::string_view kSurrogateMark = "\uFDD0";

// The text with every such half exchanged for an escaped kSurrogateMark, at the same length;
// nothing when there is none.
[[nodiscard]] std::optional<std::string> mark_lone_surrogates(std::string_view json);

}  // namespace funcd::registry
