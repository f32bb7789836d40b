#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/guest.h"
#include "registry/folder_scan.h"
#include "registry/manifest.h"

namespace funcd::registry {

// The real path of a folder that a function mounts. Errors: it is missing, no folder, not inside of
// the functions folder, the functions folder itself, or it holds the function's own module.
[[nodiscard]] Result<std::string> resolve_mount(std::string_view host, const Candidate& candidate,
                                                const std::string& real_folder);

// All mounts of a manifest, ready for the engine. Errors name the sidecar and the line.
[[nodiscard]] Result<std::vector<engine::Mount>> resolve_mounts(const Manifest& manifest,
                                                                const Candidate& candidate,
                                                                const std::string& real_folder);

}  // namespace funcd::registry
