#pragma once

#include <deque>
#include <string_view>

#include "registry/schema_node.h"

namespace funcd::registry {

// What a `$ref` names in the document: "#", "#/definitions/item" (a JSON pointer, RFC 6901, percent
// decoded), or an `$id` of the document, to the letter. Null when it is not there.
[[nodiscard]] const JsonNode* find_reference(const JsonNode& root, std::string_view reference);

// A `$ref` that leads back to itself without a step into the value, so that checking against it
// would never end; or null.
[[nodiscard]] const Schema* find_endless_reference(const std::deque<Schema>& schemas);

}  // namespace funcd::registry
