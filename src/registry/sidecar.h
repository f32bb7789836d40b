#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "registry/folder_scan.h"
#include "registry/manifest.h"
#include "registry/route.h"

namespace funcd::registry {

// What a function's sidecar says, or the defaults where there is none.
struct Sidecar {
  std::string text;
  Result<Manifest> manifest;             // or what is wrong with it
  std::string route;                     // its own, else "/name"
  std::vector<Segment> segments;         // of the route
  std::string shape;                     // of host and route: two with one shape conflict
  std::vector<std::string> mount_hosts;  // as written, even if the rest is wrong
  bool is_unread = false;                // it could not be read now; the error says why
};

// Reads the sidecar of a candidate. What is wrong is kept inside: it is the function that fails.
[[nodiscard]] Sidecar read_sidecar(const Candidate& candidate, const Limits& defaults,
                                   const Limits& ceilings);

}  // namespace funcd::registry
