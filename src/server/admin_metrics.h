#pragma once

#include <string>

#include "server/admin.h"

namespace funcd::server {

// Everything that is counted, in Prometheus' text format 0.0.4.
[[nodiscard]] std::string metrics_text(const AdminContext& context);

}  // namespace funcd::server
