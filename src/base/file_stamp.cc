#include "base/file_stamp.h"

#include <sys/stat.h>

#include <algorithm>

namespace funcd {
namespace {

// Longer than a step of any file system's clock: FAT's is 2 s.
constexpr std::int64_t kClockStepNs = 3'000'000'000;

std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

}  // namespace

bool FileStamp::is_settled(std::int64_t read_at_ns) const {
  return std::max(changed_ns, modified_ns) + kClockStepNs < read_at_ns;
}

FileStamp stamp_of(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .bytes = static_cast<std::uint64_t>(status.st_size),
          .modified_ns = nanoseconds(status.st_mtim),
          .changed_ns = nanoseconds(status.st_ctim)};
}

std::optional<FileStamp> stamp_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return stamp_of(status);
}

std::optional<FileStamp> stamp_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return std::nullopt;
  return stamp_of(status);
}

}  // namespace funcd
