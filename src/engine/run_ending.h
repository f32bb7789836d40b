#pragma once

#include "engine/guest.h"
#include "engine/guest_state.h"
#include "funcd_bridge.h"

namespace funcd::engine {

// How a run has ended, from what the bridge and the host functions know of it. Frees what `ending`
// holds.
[[nodiscard]] Ending ending_of(const fb_ending& ending, const GuestState& state,
                               const fb_usage& usage, std::uint64_t memory_bytes_max);
[[nodiscard]] Ending time_limit_ending();

}  // namespace funcd::engine
