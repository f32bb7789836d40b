#pragma once

#include <string_view>

namespace funcd::server {

// The admin API in OpenAPI 3.1, as JSON. Tests hold each answer against it.
[[nodiscard]] std::string_view openapi_json();

}  // namespace funcd::server
