#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace funcd::cli {

// What a file is, by its first bytes.
enum class ArtifactKind : std::uint8_t {
  module,     // core WebAssembly
  component,  // of the component model
  compiled,   // by `funcd compile`
  text,       // WebAssembly's text format
  elf,        // a program or library of the host
  other,
};
[[nodiscard]] ArtifactKind kind_of(std::span<const std::uint8_t> bytes);
// "a WebAssembly component", for "x.wasm is ...".
[[nodiscard]] std::string_view describe(ArtifactKind kind);

struct Artifact {
  ArtifactKind kind = ArtifactKind::other;
  std::vector<std::uint8_t> bytes;  // of a text: the binary it stands for
};

// Reads a file that is to be run or compiled; text becomes binary. An error for what is neither
// WebAssembly nor compiled code names the file and what it is instead.
[[nodiscard]] Result<Artifact> read_artifact(const std::string& path);

}  // namespace funcd::cli
