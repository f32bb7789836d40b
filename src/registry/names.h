#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace funcd::registry {

// Why a module's path, relative to the functions folder and without ".wasm", is no function name;
// nothing when it is one: segments of letters, digits, '-', '_'.
[[nodiscard]] std::optional<std::string> name_problem(std::string_view name);

}  // namespace funcd::registry
