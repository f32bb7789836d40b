#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"

namespace funcd::registry {

// Whether bytes begin as a WebAssembly module or component does; else what they are instead and
// what to do. Far cheaper than a compiler's word, and clearer: "not a WebAssembly module: begins
// with 7f 45 4c 46 (an ELF file); build it with --target wasm32-wasip1".
[[nodiscard]] Result<> check_artifact(std::span<const std::uint8_t> bytes);

}  // namespace funcd::registry
