#pragma once

#include <chrono>
#include <string>

#include "base/clock.h"

namespace funcd {

// "2026-01-02T03:04:05Z" (RFC 3339, UTC).
[[nodiscard]] std::string format_time(std::chrono::system_clock::time_point time);
// "2026-01-02T03:04:05.678Z".
[[nodiscard]] std::string format_time_ms(std::chrono::system_clock::time_point time);

// "12.3ms": how long something took.
[[nodiscard]] std::string format_elapsed(Duration elapsed);

}  // namespace funcd
