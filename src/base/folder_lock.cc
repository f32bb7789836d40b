#include "base/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <thread>

#include "base/clock.h"

namespace funcd {
namespace {

constexpr std::chrono::milliseconds kStep{1};

}  // namespace

FolderLock::FolderLock(const std::string& folder, Kind kind, std::chrono::milliseconds patience)
    : fd_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!fd_) return;
  const int operation = (kind == Kind::to_look ? LOCK_SH : LOCK_EX) | LOCK_NB;
  const TimePoint end = Clock::now() + patience;
  while (::flock(fd_.get(), operation) != 0) {
    if ((errno != EWOULDBLOCK && errno != EINTR) || Clock::now() >= end) return;
    std::this_thread::sleep_for(kStep);
  }
}

}  // namespace funcd
