#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "server/inspection.h"

namespace funcd::server {

// {"files": [...]}: each with what a server would make of it.
[[nodiscard]] nlohmann::ordered_json inspection_json(const std::vector<FileInspection>& files);

// The verdict on a file in one line: "hello.wasm: served at /hello".
[[nodiscard]] std::string verdict_of(const FileInspection& file);
// The verdict and, of a file that would go live, all that is known of it.
[[nodiscard]] std::string inspection_text(const FileInspection& file);

}  // namespace funcd::server
