#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/descriptor.h"

namespace funcd {

// flock(2) of `operation`, LOCK_SH or LOCK_EX, with the time limit that it has not: in small steps.
// False when others have kept it for as long, or the file cannot be locked; errno says which.
[[nodiscard]] bool lock_within(int fd, int operation, std::chrono::milliseconds patience);

// Keeps those apart, in any process, who replace several files of a folder and who look at them:
// flock(2) on the folder itself, so nothing is left behind. Nobody is kept for longer than
// `patience`: past it, and where the folder cannot be locked, it is as without. Who copies files by
// hand does not know of it.
class FolderLock {
 public:
  enum class Kind : std::uint8_t { to_look, to_replace };

  FolderLock(const std::string& folder, Kind kind, std::chrono::milliseconds patience);

 private:
  Descriptor fd_;
};

}  // namespace funcd
