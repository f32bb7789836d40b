#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <thread>

#include "base/clock.h"

namespace funcd {
namespace {

constexpr std::chrono::milliseconds kStep{1};

}  // namespace

bool lock_within(int fd, int operation, std::chrono::milliseconds patience) {
  const TimePoint end = Clock::now() + patience;
  while (::flock(fd, operation | LOCK_NB) != 0) {
    if ((errno != EWOULDBLOCK && errno != EINTR) || Clock::now() >= end) return false;
    std::this_thread::sleep_for(kStep);
  }
  return true;
}

FolderLock::FolderLock(const std::string& folder, Kind kind, std::chrono::milliseconds patience)
    : fd_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!fd_) return;
  (void)lock_within(fd_.get(), kind == Kind::to_look ? LOCK_SH : LOCK_EX, patience);
}

}  // namespace funcd
