#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "server/admin.h"

namespace funcd::server {

// Texts of the admin API, as /openapi.json describes them. `context.status()` and the like are read
// once for each, so that a text is of one moment.
[[nodiscard]] nlohmann::ordered_json functions_json(const AdminContext& context);
// Null when there is no function of that name.
[[nodiscard]] nlohmann::ordered_json function_json(const AdminContext& context,
                                                   std::string_view name);
// What the invocations of one function left to read: entries with a number above `after`, the
// newest `count_max` of them, oldest first. Null when there is no such function.
[[nodiscard]] nlohmann::ordered_json logs_json(const AdminContext& context, std::string_view name,
                                               std::uint64_t after, std::size_t count_max);
[[nodiscard]] nlohmann::ordered_json status_json(const AdminContext& context);

// The list of functions without a server: `catalog` may be null, an empty base_url leaves out URLs.
[[nodiscard]] nlohmann::ordered_json functions_json(const registry::Status& status,
                                                    const registry::Catalog* catalog,
                                                    std::string_view base_url);

// Null where none is wanted.
[[nodiscard]] nlohmann::ordered_json snapshot_json(const registry::Revision& revision);
[[nodiscard]] nlohmann::ordered_json limits_json(const registry::Limits& limits);

// Indented, with a newline at the end. Bytes that are no UTF-8 (of file names) are replaced.
[[nodiscard]] std::string json_text(const nlohmann::ordered_json& json);

}  // namespace funcd::server
