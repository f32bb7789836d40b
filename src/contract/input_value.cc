#include "contract/input_value.h"

#include "registry/json_document.h"
#include "registry/json_scalar.h"

namespace funcd::contract {
namespace {

// Of a JSON text; null takes any text.
InputKind kind_of_json(std::string_view json) {
  switch (json.empty() ? 'n' : json[0]) {
    case '"':
      return InputKind::string;
    case '[':
      return InputKind::array;
    case '{':
      return InputKind::object;
    case 't':
    case 'f':
      return InputKind::boolean;
    case 'n':
      return InputKind::string;
    default:
      break;
  }
  return json.find_first_of(".eE") == json.npos ? InputKind::integer : InputKind::number;
}

InputKind kind_of_type(std::string_view schema_type) {
  for (const InputKind kind : {InputKind::integer, InputKind::number, InputKind::boolean,
                               InputKind::array, InputKind::object}) {
    if (name_of(kind) == schema_type) return kind;
  }
  return InputKind::string;
}

bool append_json_of_kind(std::string& out, registry::JsonKind kind, std::string_view text) {
  registry::JsonDocument document;
  if (!document.parse(text) || document.has_lone_surrogates()) return false;
  if (document.root().kind != kind) return false;
  registry::append_json(out, document.root());
  return true;
}

registry::JsonNode string_node(std::string_view text) {
  return {.data = text.data(),
          .size = static_cast<std::uint32_t>(text.size()),
          .kind = registry::JsonKind::string};
}

}  // namespace

std::string_view name_of(InputKind kind) {
  switch (kind) {
    case InputKind::string:
      return "string";
    case InputKind::integer:
      return "integer";
    case InputKind::number:
      return "number";
    case InputKind::boolean:
      return "boolean";
    case InputKind::array:
      return "array";
    case InputKind::object:
      return "object";
  }
  return "";
}

InputType input_type_of(std::string_view key, std::string_view default_json,
                        const registry::JsonSchema* schema) {
  InputType type;
  if (!default_json.empty() && default_json != "null") {
    type.kind = kind_of_json(default_json);
    if (type.kind == InputKind::array && default_json != "[]") {
      type.element = kind_of_json(default_json.substr(1));
    }
  } else if (schema != nullptr) {
    type.kind = kind_of_type(schema->type_of(key));
    const bool is_array = type.kind == InputKind::array;
    if (is_array) type.element = kind_of_type(schema->item_type_of(key));
    using Part = registry::JsonSchema::Part;
    type.is_choice = schema->is_choice(key, is_array ? Part::element : Part::whole);
  }
  return type;
}

void append_choice(std::string& out, const registry::JsonSchema& schema, std::string_view key,
                   registry::JsonSchema::Part part, std::string_view text) {
  using registry::JsonKind;
  registry::JsonDocument document;
  const bool is_spelled = registry::trim_json_space(text).size() == text.size() &&
                          document.parse(text) && !document.has_lone_surrogates();
  if (is_spelled) {
    const registry::JsonNode& value = document.root();
    // Arrays are made of repeated keys, and "null" is a name before it is nothing.
    const bool is_other =
        value.kind == JsonKind::string || value.kind == JsonKind::array ||
        (value.kind == JsonKind::null && schema.fits(key, part, string_node(text)));
    if (!is_other && schema.fits(key, part, value)) return registry::append_json(out, value);
  }
  registry::append_json_string(out, text);
}

bool append_typed(std::string& out, InputKind kind, std::string_view text) {
  switch (kind) {
    case InputKind::string:
      registry::append_json_string(out, text);
      return true;
    case InputKind::integer:
      return registry::append_integer_of_text(out, text);
    case InputKind::number:
      return registry::append_number_of_text(out, text);
    case InputKind::array:
      return append_json_of_kind(out, registry::JsonKind::array, text);
    case InputKind::object:
      return append_json_of_kind(out, registry::JsonKind::object, text);
    case InputKind::boolean:
      break;
  }
  const std::optional<bool> value = registry::boolean_of_text(text);
  if (value) out += *value ? "true" : "false";
  return value.has_value();
}

}  // namespace funcd::contract
