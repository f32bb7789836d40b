#pragma once

#include "registry/json_document.h"

namespace funcd::registry {

// Equality of JSON Schema (core 4.2.3): 1 is 1.0, the order of members does not count.
[[nodiscard]] bool json_equal(const JsonNode& left, const JsonNode& right);

// Whether no two elements are equal. About n log n: an array made to need more is said to have
// equal ones.
[[nodiscard]] bool are_elements_unique(const JsonNode& array);

}  // namespace funcd::registry
