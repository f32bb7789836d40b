#pragma once

#include <string_view>

#include "base/result.h"
#include "registry/manifest.h"
#include "registry/toml_table.h"

namespace funcd::registry {

// Reads [canary]. Errors name file and line, as parse_manifest() does.
[[nodiscard]] Result<> read_canary(const toml::table& table, std::string_view file,
                                   Manifest& manifest);

}  // namespace funcd::registry
