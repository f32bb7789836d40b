#pragma once

#include <cstdint>
#include <optional>
#include <string>

struct stat;

namespace funcd {

// What differs after a file was changed or replaced.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileStamp&) const = default;

  // Whether it stands for what was read from the file at that time, in ns since the epoch. A file
  // that was changed just before may have been changed again since, within one step of the file
  // system's clock, and its times would not tell.
  [[nodiscard]] bool is_settled(std::int64_t read_at_ns) const;
};
[[nodiscard]] FileStamp stamp_of(const struct stat& status);
// Of what a path leads to, or of an open file; nothing when that cannot be told.
[[nodiscard]] std::optional<FileStamp> stamp_of(const std::string& path);
[[nodiscard]] std::optional<FileStamp> stamp_of(int fd);

}  // namespace funcd
