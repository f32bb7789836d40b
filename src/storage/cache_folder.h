#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/private_folder.h"

namespace funcd::storage {

inline constexpr std::string_view kTemporaryPrefix = "tmp-";
// A temporary that old has no writer any more.
inline constexpr std::chrono::minutes kTemporaryAgeMax{10};
// Another process holds the lock for the time of a few renames; one that holds it longer is
// stopped.
inline constexpr std::chrono::milliseconds kLockWaitMax{2000};

// The files of a CodeCache and how much they hold. Changes are made under a lock file, whose
// content is the sum of all code in bytes, so that processes which share the folder share its
// limit. For one thread at a time, but for path(), fd(), bytes_max(), remove() and rename().
class CacheFolder {
 public:
  // Opens the folder, removes what killed processes have left, and what is too much.
  [[nodiscard]] static Result<CacheFolder> open(const std::string& path, std::uint64_t bytes_max);

  [[nodiscard]] const std::string& path() const { return folder_.path; }
  [[nodiscard]] int fd() const { return folder_.fd.get(); }
  [[nodiscard]] std::uint64_t bytes_max() const { return bytes_max_; }

  // An entry that is written, under names of temporaries.
  struct Written {
    std::string hash;
    std::uint64_t bytes = 0;
    std::string code_temporary;
    std::string sum_temporary;
  };
  // Gives the entry its names, once there is room for it.
  [[nodiscard]] Result<> keep(const std::string& key, const Written& written);

  // Removes what has that name: a file, or what somebody has put in its place. Whether nothing has
  // it now.
  bool remove(const std::string& name) const;
  // Gives a file another name, whatever has that now.
  [[nodiscard]] Result<> rename(const std::string& from, const std::string& to) const;

 private:
  class Lock;
  CacheFolder(PrivateFolder folder, Descriptor lock, std::uint64_t bytes_max);

  [[nodiscard]] std::optional<std::uint64_t> read_total() const;
  void write_total(std::uint64_t bytes) const;
  // Removes what is not whole, and the least recently used entries until `room` more bytes fit.
  // Returns how many bytes are left.
  [[nodiscard]] Result<std::uint64_t> sweep(std::uint64_t room) const;
  // What the entry's .sum file names, or "".
  [[nodiscard]] std::string current_hash(const std::string& key) const;

  PrivateFolder folder_;
  Descriptor lock_;
  std::uint64_t bytes_max_;
};

}  // namespace funcd::storage
