#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace funcd::registry {

// Whether a path is the folder or lies in it. Both are real paths: absolute, without links.
[[nodiscard]] bool is_inside(std::string_view path, std::string_view folder);
// The same of any of the folders.
[[nodiscard]] bool is_inside_any(std::string_view path, const std::vector<std::string>& folders);

// The real path of `path`; an error when there is none, or when it is not inside of `folder`, a
// real path: a link, or "..", has led out of it. Errors do not name the path itself.
[[nodiscard]] Result<std::string> resolve_inside(const std::string& path, std::string_view folder);

// The real path of anything, or the system's reason.
[[nodiscard]] Result<std::string> real_path_of(const std::string& path);

}  // namespace funcd::registry
