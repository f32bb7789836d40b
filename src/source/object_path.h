#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace funcd::source {

// What a key below the prefix is to a mirror.
enum class KeyKind : std::uint8_t {
  file,     // an object to be kept
  hidden,   // a folder's marker, or below a name that begins with a dot: not ours
  refused,  // it can be no path of a file, see path_problem()
};
[[nodiscard]] KeyKind kind_of_key(std::string_view path);

// Why a key can be no path of a file; nothing when it can: "a//b", "../x", names that are too long,
// control characters. It never leads out of the folder.
[[nodiscard]] std::optional<std::string> path_problem(std::string_view path);

// What belongs together: "api/hello" of "api/hello.wasm", "api/hello.toml",
// "api/hello.schema.json".
[[nodiscard]] std::string_view stem_of(std::string_view path);

}  // namespace funcd::source
