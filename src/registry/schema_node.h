#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "registry/json_document.h"
#include "registry/json_scalar.h"
#include "registry/schema_pattern.h"

namespace funcd::registry {

// The types of JSON Schema. `integer` is a number without a fraction.
enum class SchemaType : std::uint8_t { null, boolean, integer, number, string, array, object };
// "integer".
[[nodiscard]] std::string_view name_of(SchemaType type);
[[nodiscard]] std::optional<SchemaType> schema_type_of(std::string_view name);

// One schema of a document, compiled: draft 7's validation keywords. Part of a SchemaTree, which
// owns the schemas that this one points to and the text of its views.
struct Schema {
  struct Property {
    std::string_view name;
    const Schema* schema;
    bool is_required = false;
  };
  struct PatternProperty {
    SchemaPattern pattern;
    const Schema* schema;
  };
  struct Dependency {
    std::string_view property;
    std::vector<std::string_view> required;
    const Schema* schema = nullptr;  // or null
  };
  using Schemas = std::vector<const Schema*>;

  // Of the boolean schemas `true` and `false`.
  std::optional<bool> verdict;

  std::vector<SchemaType> types;                       // as written; empty: any
  const JsonNode* constant = nullptr;                  // `const`
  std::optional<std::vector<const JsonNode*>> values;  // `enum`

  std::optional<Number> multiple_of, minimum, maximum, exclusive_minimum, exclusive_maximum;
  std::optional<std::uint64_t> length_min, length_max;  // in code points
  std::optional<SchemaPattern> pattern;

  const Schema* items = nullptr;             // of every element, or
  std::optional<Schemas> items_by_position;  // of the first ones; the others are
  const Schema* additional_items = nullptr;
  const Schema* contains = nullptr;
  std::optional<std::uint64_t> items_min, items_max;
  bool has_unique_items = false;

  std::vector<Property> properties;  // in the order written
  bool has_properties = false;
  std::unordered_map<std::string_view, std::uint32_t> property_index;  // when there are many
  std::vector<std::string_view> required_others;                       // not among `properties`
  std::vector<PatternProperty> pattern_properties;
  const Schema* additional_properties = nullptr;
  const Schema* property_names = nullptr;
  std::vector<Dependency> dependencies;
  std::optional<std::uint64_t> properties_min, properties_max;

  const Schema* reference = nullptr;  // `$ref`; then nothing else counts
  Schemas all_of, any_of, one_of;
  const Schema* negated = nullptr;
  const Schema* condition = nullptr;  // `if`
  const Schema* consequence = nullptr;
  const Schema* alternative = nullptr;

  bool is_composed = false;  // of other schemas for the same value
  bool is_union = false;     // `anyOf` or `oneOf`, and nothing else

  // Index in `properties`, or none.
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view property) const;
  // The element schema for an index, or null for any.
  [[nodiscard]] const Schema* item_at(std::size_t index) const;
};

// A schema document. Immutable once compiled; thread-safe.
struct SchemaTree {
  std::string text;
  JsonDocument document;
  std::deque<Schema> schemas;
  const Schema* root = nullptr;
};

}  // namespace funcd::registry
