#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "registry/json_schema.h"

namespace funcd::contract {

// What the text of a parameter is to become.
enum class InputKind : std::uint8_t { string, integer, number, boolean, array, object };
[[nodiscard]] std::string_view name_of(InputKind kind);  // "integer"

struct InputType {
  InputKind kind = InputKind::string;
  InputKind element = InputKind::string;  // of an array
  // The schema leaves more than one kind to a text, or names values: append_choice() is for those.
  bool is_choice = false;  // of an array: its elements
};

// The type of the default that a parameter replaces (JSON text, or empty when there is none), else
// the one that the schema (may be null) names, else a string.
[[nodiscard]] InputType input_type_of(std::string_view key, std::string_view default_json,
                                      const registry::JsonSchema* schema);

// Appends the text as JSON of that kind; false, with nothing appended, where it cannot be. An array
// or object is taken as JSON.
[[nodiscard]] bool append_typed(std::string& out, InputKind kind, std::string_view text);

// Appends what the text is as that part of the schema: the JSON value that it spells ("7", "true",
// "{}") where that fits to the letter, else a string, which conforming may make more of.
void append_choice(std::string& out, const registry::JsonSchema& schema, std::string_view key,
                   registry::JsonSchema::Part part, std::string_view text);

}  // namespace funcd::contract
