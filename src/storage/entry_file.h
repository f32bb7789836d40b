#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/result.h"

namespace funcd::storage {

inline constexpr std::size_t kDigestChars = 64;

// 64 lower-case hex digits.
[[nodiscard]] bool is_digest(std::string_view text);
// Names of the two files of an entry.
[[nodiscard]] std::string sum_name(std::string_view key);
[[nodiscard]] std::string code_name(std::string_view key, std::string_view hash);

// One file of an entry, opened, or why it cannot be trusted.
struct EntryFile {
  Descriptor fd;
  int error = 0;       // errno of open()
  std::string damage;  // when it must not be used
};
// Never follows a link. `folder` is the descriptor of the folder.
[[nodiscard]] EntryFile open_entry(int folder, const std::string& name);

// What is read from where the descriptor stands; 0 at the end of the file.
[[nodiscard]] Result<std::size_t> read_some(int fd, std::span<std::uint8_t> into);

// The hash that a .sum file holds, or "" when it holds none.
[[nodiscard]] std::string read_sum(int fd);

}  // namespace funcd::storage
