#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace funcd::contract {

// Whether `text` is one JSON document (RFC 8259) in UTF-8, with white space around it at most.
// Numbers may be of any size.
[[nodiscard]] bool is_json(std::string_view text);

// Without the white space that JSON allows around a document.
[[nodiscard]] std::string_view trim_json(std::string_view text);

// Calls `visit(key, value)` for each member of an object, in order: the key unescaped, the value as
// its own JSON text, digit for digit. False when `text`, which is_json, is no object.
bool for_each_member(std::string_view text,
                     const std::function<void(std::string_view, std::string_view)>& visit);

// Appends `text` as a JSON string with its quotes. It is UTF-8.
void append_json_string(std::string& out, std::string_view text);

}  // namespace funcd::contract
