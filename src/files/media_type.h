#pragma once

#include <string_view>

namespace funcd::files {

// The content-type of a file by its name's ending, whatever its case; application/octet-stream for
// one that is not known. Text is taken to be UTF-8. Static storage.
[[nodiscard]] std::string_view media_type_of_name(std::string_view name);

}  // namespace funcd::files
