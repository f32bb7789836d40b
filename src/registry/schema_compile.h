#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "registry/schema_node.h"

namespace funcd::registry {

// Compiles a JSON Schema of draft 7 (draft-handrews-json-schema-01, -validation-01). What is no
// schema is an error that names its place: "/properties/age/type: 'int' is no type; ...". `$ref`
// stays inside of the document. `format`, `default` and the like are annotations.
[[nodiscard]] Result<std::unique_ptr<const SchemaTree>> compile_schema(std::string_view json);

}  // namespace funcd::registry
