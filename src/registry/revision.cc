#include "registry/revision.h"

#include <fmt/format.h>

namespace funcd::registry {

Function::Function(std::string name_in, std::size_t workers, std::uint64_t canary_in)
    : name(std::move(name_in)),
      canary(canary_in),
      title(canary == 0 ? name : fmt::format("{}@{}", name, canary)),
      metrics(workers) {}

}  // namespace funcd::registry
