#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/guest.h"

namespace funcd::cli {

// One run of a program on the process's own standard streams.
struct RunRequest {
  std::vector<std::string> args;  // args[0] is the program's name
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<engine::Mount> mounts;
  engine::TaskLimits limits;  // the deadline follows from the timeout
  std::optional<std::chrono::milliseconds> timeout;
};

// Runs it to its end on the calling thread, which sleeps while the guest does.
[[nodiscard]] engine::Ending run_to_end(const engine::Engine& engine,
                                        const engine::Program& program, const RunRequest& request);

// "K=V"; "K" alone is empty.
[[nodiscard]] Result<std::pair<std::string, std::string>> parse_env(const std::string& text);
// "HOST::GUEST" or "FOLDER", which the guest then sees under the same name. The host's part is
// made absolute and must be a folder.
[[nodiscard]] Result<engine::Mount> parse_mount(const std::string& text);

inline constexpr int kTrapped = 134;
inline constexpr int kTimedOut = 124;
// The process's exit code for a run: the guest's own, or one of the above.
[[nodiscard]] int exit_code_of(const engine::Ending& ending);

}  // namespace funcd::cli
