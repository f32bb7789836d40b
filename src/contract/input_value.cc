#include "contract/input_value.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "contract/json_text.h"

namespace funcd::contract {
namespace {

constexpr std::array<std::pair<std::string_view, InputType>, 6> kNames = {{
    {"string", InputType::string},
    {"integer", InputType::integer},
    {"number", InputType::number},
    {"boolean", InputType::boolean},
    {"array", InputType::array},
    {"object", InputType::object},
}};

bool is_digit(char character) { return character >= '0' && character <= '9'; }

// JSON has no leading zeros and no plus sign; people have.
std::optional<std::string> integer_of(std::string_view text) {
  std::string out;
  if (text.starts_with('-')) out = "-";
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  const std::size_t first = std::min(text.find_first_not_of('0'), text.size() - 1);
  out += text.substr(first);
  return out;
}

std::optional<std::string> number_of(std::string_view text) {
  if (auto integer = integer_of(text)) return integer;
  const bool is_number = !text.empty() && (is_digit(text.front()) || text.front() == '-') &&
                         is_digit(text.back()) && is_json(text);
  return is_number ? std::optional<std::string>(text) : std::nullopt;
}

std::optional<std::string> boolean_of(std::string_view text) {
  if (text == "true" || text == "1") return "true";
  if (text == "false" || text == "0") return "false";
  return std::nullopt;
}

std::string string_of(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_json_string(out, text);
  return out;
}

}  // namespace

InputType type_of_json(std::string_view json) {
  switch (json.empty() ? '"' : json.front()) {
    case '[':
      return InputType::array;
    case '{':
      return InputType::object;
    case 't':
    case 'f':
      return InputType::boolean;
    case '"':
    case 'n':
      return InputType::string;
    default:
      return json.find_first_of(".eE") == std::string_view::npos ? InputType::integer
                                                                 : InputType::number;
  }
}

InputType type_named(std::string_view word) {
  for (const auto& [name, type] : kNames) {
    if (name == word) return type;
  }
  return InputType::string;
}

std::string_view name_of(InputType type) {
  for (const auto& [name, each] : kNames) {
    if (each == type) return name;
  }
  return "string";
}

std::optional<std::string> to_json(std::string_view text, InputType type) {
  switch (type) {
    case InputType::integer:
      return integer_of(text);
    case InputType::number:
      return number_of(text);
    case InputType::boolean:
      return boolean_of(text);
    case InputType::object:
      if (type_of_json(trim_json(text)) == InputType::object && is_json(text)) {
        return std::string(trim_json(text));
      }
      return std::nullopt;
    default:
      return string_of(text);
  }
}

}  // namespace funcd::contract
