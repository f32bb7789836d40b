#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace funcd::cli {

// What a file holds that can be run, by its first bytes.
enum class ArtifactKind : std::uint8_t {
  module,    // core WebAssembly
  text,      // its text format
  compiled,  // by `funcd compile`
};

struct Artifact {
  ArtifactKind kind = ArtifactKind::module;
  std::vector<std::uint8_t> bytes;  // of a text: the binary it stands for
};

// Reads a file that is to be run or compiled. An error for anything else names the file and says
// what it is instead.
[[nodiscard]] Result<Artifact> read_artifact(const std::string& path);

}  // namespace funcd::cli
