#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace funcd::registry {

// Why a module's path, relative to the functions folder and without ".wasm", is no function name;
// nothing when it is one: segments of letters, digits, '-', '_', or a parameter, "[id]". The last
// one, but for an "index", may take all that is left: "[...rest]". A canary's has its number after
// it: "api/hello@2".
[[nodiscard]] std::optional<std::string> name_problem(std::string_view name);

// A letter, a digit, '-' or '_'.
[[nodiscard]] bool is_name_char(char c);

// The route of a function whose sidecar names none: "/api/users" of "api/users", "/users/{id}" of
// "users/[id]", "/files/{*rest}" of "files/[...rest]". An "index" is its folder's: "/api" of
// "api/index", "/" of "index".
[[nodiscard]] std::string route_of_name(std::string_view name);

}  // namespace funcd::registry
