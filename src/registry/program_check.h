#pragma once

#include <string_view>

#include "base/result.h"
#include "engine/engine.h"
#include "registry/manifest.h"

namespace funcd::registry {

// What a program is to be.
struct ProgramWanted {
  std::string_view function;
  const Manifest& manifest;
  ContractKind contract = ContractKind::automatic;  // as far as the manifest tells
  bool is_reactor = false;                          // as its exports tell
};

// Whether a program can be what its sidecar says, and an instance of it can be made: makes one. The
// contract that it has, or why it is not served; the error goes after the name of the file.
[[nodiscard]] Result<ContractKind> check_program(const engine::Engine& engine,
                                                 const engine::Program& program,
                                                 const ProgramWanted& wanted);

}  // namespace funcd::registry
