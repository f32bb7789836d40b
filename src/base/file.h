#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct evp_md_ctx_st;

namespace funcd {

// The whole file. Errors name the path and the system's reason; longer than bytes_max is an error,
// and so is what is not a regular file: a pipe is never waited for.
[[nodiscard]] Result<std::vector<std::uint8_t>> read_file(const std::string& path,
                                                          std::uint64_t bytes_max);
[[nodiscard]] Result<std::string> read_text_file(const std::string& path, std::uint64_t bytes_max);

// Writes the file whole or not at all: a temporary beside it, fsync, rename. Survives kill -9.
[[nodiscard]] Result<> write_file(const std::string& path, std::span<const std::uint8_t> bytes);

// Removes what has that name in a folder, whatever it is: a folder with all that is in it. `folder`
// is a descriptor, or AT_FDCWD. No link is followed; what is not there is no error. Past these
// limits it is an error, and another call goes on.
inline constexpr int kRemovedItemsMax = 10'000;
inline constexpr int kRemovedDepthMax = 32;
[[nodiscard]] Result<> remove_whole(int folder, const std::string& name);

// All bytes to a descriptor that blocks. The error, "cannot be written: no space left on device",
// leaves it to the caller to name the file.
[[nodiscard]] Result<> write_all(int fd, std::span<const std::uint8_t> bytes);

// SHA-256 of what comes in pieces.
class Sha256 {
 public:
  Sha256();
  void add(std::span<const std::uint8_t> bytes);
  // 64 lower-case hex digits. Called once, last.
  [[nodiscard]] std::string hex();

 private:
  struct ContextDeleter {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, ContextDeleter> context_;
};

// SHA-256 as 64 lower-case hex digits.
[[nodiscard]] std::string sha256_hex(std::span<const std::uint8_t> bytes);
[[nodiscard]] std::string sha256_hex(std::string_view text);

// "no such file or directory", for errno values in messages.
[[nodiscard]] std::string errno_text(int code);

}  // namespace funcd
