#pragma once

#include <memory>

#include "base/result.h"
#include "registry/catalog.h"
#include "registry/status.h"
#include "server/config.h"

namespace funcd::server {

// What a server of this configuration would serve.
struct Inspection {
  registry::Status status;
  std::shared_ptr<const registry::Catalog> catalog;
};

// Builds every function of the source once, as a server does, and serves nothing. Uses the cache
// of compiled code where there is one that can be used.
[[nodiscard]] Result<Inspection> inspect(const Config& config);

// An error with the remedy when the source is no folder or cannot be read.
[[nodiscard]] Result<> check_source(const Config& config);

}  // namespace funcd::server
