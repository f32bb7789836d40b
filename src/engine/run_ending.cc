#include "engine/run_ending.h"

#include <fmt/format.h>

#include "base/check.h"
#include "engine/bridge_bytes.h"

namespace funcd::engine {
namespace {

Ending plain_ending(const fb_ending& ending, const GuestState& state) {
  const BridgeBytes message(ending.message);
  const BridgeBytes trace(ending.trace);
  switch (ending.kind) {
    case FB_RETURNED:
      return Ending{};
    case FB_STOPPED:
      CHECK(state.stop.has_value());
      return Ending{state.stop->kind, state.stop->exit_code, state.stop->message, {}};
    case FB_EXITED:
      return Ending{EndKind::exited, ending.code, {}, {}};
    case FB_TRAPPED:
      return Ending{EndKind::trapped, 0, message.text(), trace.text()};
    case FB_EXHAUSTED:
      return Ending{
          EndKind::exhausted, 0, "the pool of instances is used up: " + message.text(), {}};
    default:
      return Ending{EndKind::failed, 0, message.text(), {}};
  }
}

}  // namespace

Ending ending_of(const fb_ending& bridge_ending, const GuestState& state, const fb_usage& usage,
                 std::uint64_t memory_bytes_max) {
  Ending ending = plain_ending(bridge_ending, state);
  const bool has_failed = ending.kind == EndKind::trapped || ending.kind == EndKind::failed ||
                          (ending.kind == EndKind::exited && ending.exit_code != 0);
  if (has_failed && usage.is_growth_denied) {
    ending.kind = EndKind::memory_limit;
    ending.message = fmt::format("wanted more memory or table than its limit ({} MiB of memory)",
                                 memory_bytes_max >> 20);
  }
  return ending;
}

Ending time_limit_ending() {
  return Ending{EndKind::time_limit, 0, "ran longer than its limit", {}};
}

}  // namespace funcd::engine
