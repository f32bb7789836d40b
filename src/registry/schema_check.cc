#include "registry/schema_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "registry/json_equal.h"

namespace funcd::registry {
namespace {

constexpr std::size_t kShownBytesMax = 60;

template <class... Args>
bool miss(Misfit* misfit, fmt::format_string<Args...> text, Args&&... args) {
  if (misfit != nullptr) *misfit = {"", fmt::format(text, std::forward<Args>(args)...)};
  return false;
}

bool is_of_type(SchemaType type, const JsonNode& node) {
  switch (type) {
    case SchemaType::null:
      return node.kind == JsonKind::null;
    case SchemaType::boolean:
      return node.kind == JsonKind::boolean;
    case SchemaType::number:
      return node.kind == JsonKind::number;
    case SchemaType::string:
      return node.kind == JsonKind::string;
    case SchemaType::array:
      return node.kind == JsonKind::array;
    case SchemaType::object:
      return node.kind == JsonKind::object;
    case SchemaType::integer:
      return node.kind == JsonKind::number &&
             (node.text().find_first_of(".eE") == std::string::npos ||
              number_of(node.text()).is_whole);
  }
  return false;
}

std::string types_text(const Schema& schema) {
  std::string text;
  for (SchemaType type : schema.types) {
    if (!text.empty()) text += " or ";
    text += name_of(type);
  }
  return text;
}

bool is_multiple(const Number& number, const Number& of) {
  if (number.exact && of.exact) return *number.exact % *of.exact == 0;
  const double quotient = number.approximate / of.approximate;
  if (!std::isfinite(quotient)) return std::fmod(number.approximate, of.approximate) == 0;
  constexpr double kTolerance = 1e-9;  // 0.0075 is a multiple of 0.0001, though not of its double
  return std::fabs(quotient - std::round(quotient)) <
         kTolerance * std::max(1.0, std::fabs(quotient));
}

bool fits_number(const Schema& schema, const JsonNode& node, Misfit* misfit) {
  const bool is_bounded = schema.minimum || schema.maximum || schema.exclusive_minimum ||
                          schema.exclusive_maximum || schema.multiple_of;
  if (!is_bounded) return true;
  const Number number = number_of(node.text());
  const auto sign = [&](const std::optional<Number>& bound) {
    return Number::compare(number, *bound);
  };
  if (schema.minimum && sign(schema.minimum) < 0)
    return miss(misfit, "{} is too small", shown(node));
  if (schema.maximum && sign(schema.maximum) > 0)
    return miss(misfit, "{} is too large", shown(node));
  if (schema.exclusive_minimum && sign(schema.exclusive_minimum) <= 0) {
    return miss(misfit, "{} is too small", shown(node));
  }
  if (schema.exclusive_maximum && sign(schema.exclusive_maximum) >= 0) {
    return miss(misfit, "{} is too large", shown(node));
  }
  if (schema.multiple_of && !is_multiple(number, *schema.multiple_of)) {
    return miss(misfit, "{} is not a multiple of {}", shown(node), schema.multiple_of->approximate);
  }
  return true;
}

}  // namespace

void Misfit::within(std::string_view member) {
  const bool is_bracketed = path.empty() || path.starts_with('[');
  path = cut_short(member, kShownBytesMax) + (is_bracketed ? "" : ".") + path;
}

void Misfit::within(std::size_t index) {
  const bool is_bracketed = path.empty() || path.starts_with('[');
  path = fmt::format("[{}]{}{}", index, is_bracketed ? "" : ".", path);
}

std::string Misfit::text() const {
  return path.empty() ? message : path + ": " + message;
}

std::string shown(const JsonNode& node) {
  switch (node.kind) {
    case JsonKind::array:
      return "array";
    case JsonKind::object:
      return "object";
    case JsonKind::string: {
      std::string text;
      append_json_string(text, cut_short(node.text(), kShownBytesMax));
      return text;
    }
    default: {
      std::string text;
      append_json(text, node);
      return cut_short(text, kShownBytesMax);
    }
  }
}

bool SchemaCheck::fits_type(const Schema& schema, const JsonNode& node, Misfit* misfit) const {
  if (schema.types.empty()) return true;
  const bool is_one = std::any_of(schema.types.begin(), schema.types.end(),
                                  [&](SchemaType type) { return is_of_type(type, node); });
  return is_one || miss(misfit, "expected {}, got {}", types_text(schema), shown(node));
}

bool SchemaCheck::fits_itself(const Schema& schema, const JsonNode& node, Misfit* misfit) {
  if (schema.verdict == false) return miss(misfit, "nothing is allowed here, got {}", shown(node));
  if (!fits_type(schema, node, misfit)) return false;
  if (schema.constant != nullptr && !json_equal(*schema.constant, node)) {
    return miss(misfit, "expected {}, got {}", shown(*schema.constant), shown(node));
  }
  if (schema.values &&
      std::none_of(schema.values->begin(), schema.values->end(),
                   [&](const JsonNode* each) { return json_equal(*each, node); })) {
    return miss(misfit, "{} is none of the {} values allowed", shown(node), schema.values->size());
  }
  switch (node.kind) {
    case JsonKind::number:
      return fits_number(schema, node, misfit);
    case JsonKind::string:
      return fits_string(schema, node, misfit);
    case JsonKind::array:
      return fits_array(schema, node, misfit);
    case JsonKind::object:
      return fits_object(schema, node, misfit);
    default:
      return true;
  }
}

bool SchemaCheck::fits(const Schema& schema, const JsonNode& node, Misfit* misfit) {
  if (!spend() || depth_ == kDepthMax) {
    exhaust();
    return miss(misfit, "too much work to check");
  }
  ++depth_;
  const bool is_fit = schema.reference != nullptr
                          ? fits(*schema.reference, node, misfit)
                          : fits_itself(schema, node, misfit) &&
                                fits_elements(schema, node, misfit) &&
                                fits_members(schema, node, misfit) &&
                                (!schema.is_composed || fits_composition(schema, node, misfit));
  --depth_;
  return is_fit;
}

bool SchemaCheck::fits_composition(const Schema& schema, const JsonNode& node, Misfit* misfit) {
  for (const Schema* each : schema.all_of) {
    if (!fits(*each, node, misfit)) return false;
  }
  if (!fits_alternatives(schema, node, misfit)) return false;
  if (schema.negated != nullptr && fits(*schema.negated, node, nullptr)) {
    return miss(misfit, "{} fits what is excluded", shown(node));
  }
  if (schema.condition != nullptr) {
    const Schema* chosen =
        fits(*schema.condition, node, nullptr) ? schema.consequence : schema.alternative;
    if (chosen != nullptr && !fits(*chosen, node, misfit)) return false;
  }
  for (const Schema::Dependency& each : schema.dependencies) {
    if (each.schema == nullptr || node.find(each.property) == nullptr) continue;
    if (!fits(*each.schema, node, misfit)) return false;
  }
  return true;
}

bool SchemaCheck::fits_alternatives(const Schema& schema, const JsonNode& node, Misfit* misfit) {
  const auto is_fit = [&](const Schema* each) { return fits(*each, node, nullptr); };
  if (!schema.any_of.empty() && std::none_of(schema.any_of.begin(), schema.any_of.end(), is_fit)) {
    return miss(misfit, "{} fits none of {} alternatives", shown(node), schema.any_of.size());
  }
  if (schema.one_of.empty()) return true;
  const auto count = std::count_if(schema.one_of.begin(), schema.one_of.end(), is_fit);
  return count == 1 || miss(misfit, "{} fits {} of {} alternatives, and must fit one", shown(node),
                            count, schema.one_of.size());
}

bool SchemaCheck::fits_string(const Schema& schema, const JsonNode& string, Misfit* misfit) {
  if (schema.length_min || schema.length_max) {
    const std::size_t length = utf8_count(string.text());
    if (schema.length_min && length < *schema.length_min) {
      return miss(misfit, "{} is shorter than {} characters", shown(string), *schema.length_min);
    }
    if (schema.length_max && length > *schema.length_max) {
      return miss(misfit, "{} is longer than {} characters", shown(string), *schema.length_max);
    }
  }
  if (schema.pattern && !matches(*schema.pattern, string.text())) {
    return miss(misfit, "{} does not match {}", shown(string), schema.pattern->expression());
  }
  return true;
}

bool SchemaCheck::matches(const SchemaPattern& pattern, std::string_view text) {
  const std::optional<bool> is_match = pattern.matches(text);
  if (!is_match) exhaust();
  return is_match.value_or(false);
}

bool SchemaCheck::fits_array(const Schema& schema, const JsonNode& array, Misfit* misfit) {
  if (schema.items_min && array.size < *schema.items_min) {
    return miss(misfit, "{} elements, fewer than {}", array.size, *schema.items_min);
  }
  if (schema.items_max && array.size > *schema.items_max) {
    return miss(misfit, "{} elements, more than {}", array.size, *schema.items_max);
  }
  if (schema.has_unique_items && !(spend(array.span) && are_elements_unique(array))) {
    return miss(misfit, "elements are not unique");
  }
  if (schema.contains == nullptr) return true;
  for (const JsonNode* each = array.begin(); each != array.end(); each = each->after()) {
    if (fits(*schema.contains, *each, nullptr)) return true;
  }
  return miss(misfit, "no element is of the kind that must be there");
}

bool SchemaCheck::fits_elements(const Schema& schema, const JsonNode& array, Misfit* misfit) {
  if (array.kind != JsonKind::array) return true;
  if (schema.items == nullptr && !schema.items_by_position) return true;
  std::size_t index = 0;
  for (const JsonNode* each = array.begin(); each != array.end(); each = each->after()) {
    const Schema* item = schema.item_at(index);
    if (item != nullptr && !fits(*item, *each, misfit)) {
      if (misfit != nullptr) misfit->within(index);
      return false;
    }
    ++index;
  }
  return true;
}

bool SchemaCheck::fits_object(const Schema& schema, const JsonNode& object, Misfit* misfit) {
  const auto lacks = [&](std::string_view name) {
    if (spend(1 + object.size / 16) && object.find(name) != nullptr) return false;
    if (misfit != nullptr) *misfit = {std::string(name), "is required, and missing"};
    return true;
  };
  if (schema.properties_min && object.size < *schema.properties_min) {
    return miss(misfit, "{} properties, fewer than {}", object.size, *schema.properties_min);
  }
  if (schema.properties_max && object.size > *schema.properties_max) {
    return miss(misfit, "{} properties, more than {}", object.size, *schema.properties_max);
  }
  for (const Schema::Property& each : schema.properties) {
    if (each.is_required && lacks(each.name)) return false;
  }
  for (std::string_view name : schema.required_others) {
    if (lacks(name)) return false;
  }
  for (const Schema::Dependency& each : schema.dependencies) {
    if (each.required.empty() || object.find(each.property) == nullptr) continue;
    if (std::any_of(each.required.begin(), each.required.end(), lacks)) return false;
  }
  if (schema.property_names == nullptr) return true;
  for (const JsonNode* key = object.begin(); key != object.end(); key = key->next_key()) {
    if (!fits(*schema.property_names, *key, misfit)) return false;
  }
  return true;
}

bool SchemaCheck::fits_members(const Schema& schema, const JsonNode& object, Misfit* misfit) {
  if (object.kind != JsonKind::object) return true;
  if (schema.properties.empty() && schema.pattern_properties.empty() &&
      schema.additional_properties == nullptr) {
    return true;
  }
  for (const JsonNode* key = object.begin(); key != object.end(); key = key->next_key()) {
    if (fits_member(schema, *key, misfit)) continue;
    if (misfit != nullptr) misfit->within(key->text());
    return false;
  }
  return true;
}

bool SchemaCheck::fits_member(const Schema& schema, const JsonNode& key, Misfit* misfit) {
  const JsonNode& value = key.value();
  const auto index = schema.find(key.text());
  bool is_named = index.has_value();
  if (index && !fits(*schema.properties[*index].schema, value, misfit)) return false;
  for (const Schema::PatternProperty& each : schema.pattern_properties) {
    if (!matches(each.pattern, key.text())) continue;
    is_named = true;
    if (!fits(*each.schema, value, misfit)) return false;
  }
  if (is_named || schema.additional_properties == nullptr) return true;
  if (schema.additional_properties->verdict == false) {
    return miss(misfit, "is not a property that the schema names");
  }
  return fits(*schema.additional_properties, value, misfit);
}

}  // namespace funcd::registry
