#include "registry/schema_node.h"

#include <algorithm>
#include <array>

namespace funcd::registry {
namespace {

constexpr std::array<std::string_view, 7> kTypeNames = {"null",   "boolean", "integer", "number",
                                                        "string", "array",   "object"};

}  // namespace

std::string_view name_of(SchemaType type) {
  return kTypeNames[static_cast<std::size_t>(type)];
}

std::optional<SchemaType> schema_type_of(std::string_view name) {
  const auto* found = std::find(kTypeNames.begin(), kTypeNames.end(), name);
  if (found == kTypeNames.end()) return std::nullopt;
  return static_cast<SchemaType>(found - kTypeNames.begin());
}

std::optional<std::uint32_t> Schema::find(std::string_view property) const {
  if (!property_index.empty()) {
    const auto found = property_index.find(property);
    return found == property_index.end() ? std::nullopt : std::optional(found->second);
  }
  for (std::uint32_t i = 0; i < properties.size(); ++i) {
    if (properties[i].name == property) return i;
  }
  return std::nullopt;
}

const Schema* Schema::item_at(std::size_t index) const {
  if (!items_by_position) return items;
  return index < items_by_position->size() ? (*items_by_position)[index] : additional_items;
}

}  // namespace funcd::registry
