#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace funcd::contract {

// What a text from a query, a form or a path becomes in DATA.
enum class InputType : std::uint8_t { string, integer, number, boolean, array, object };

// The type of a JSON text ("20" is an integer, "[]" an array); null counts as a string.
[[nodiscard]] InputType type_of_json(std::string_view json);
// The type that a JSON Schema's word names; a string for "" and unknown words.
[[nodiscard]] InputType type_named(std::string_view word);
[[nodiscard]] std::string_view name_of(InputType type);

// `text` as JSON of that type ("036" as an integer is 36), or nothing when it is none. Of `array`:
// one element, a string.
[[nodiscard]] std::optional<std::string> to_json(std::string_view text, InputType type);

}  // namespace funcd::contract
