#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/import_plan.h"

namespace funcd::cli {

enum class FileFate : std::uint8_t { created, replaced, unchanged };
[[nodiscard]] std::string_view name_of(FileFate fate);  // "created"

struct WriteOptions {
  bool replaces = false;  // files that are there and differ
  bool is_dry = false;    // only tells what would be done
};

// Puts a plan's files into the functions folder and says of each, in their order, what became of
// it. Whole or not at all: what fails leaves the folder as it was. A folder that is new appears at
// once; in one that is there every file does, modules last, so that a server that watches it sees
// each with its sidecar. No link in the folder is followed. Ended in the middle, by kill -9, it
// leaves whole files only, and the same call goes on from there; what it has left besides, the next
// call removes.
[[nodiscard]] Result<std::vector<FileFate>> write_files(const std::vector<ImportFile>& files,
                                                        const std::string& folder,
                                                        const WriteOptions& options);

}  // namespace funcd::cli
