#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace funcd {

// The whole file. Errors name the path and the system's reason; longer than bytes_max is an error.
[[nodiscard]] Result<std::vector<std::uint8_t>> read_file(const std::string& path,
                                                          std::uint64_t bytes_max);
[[nodiscard]] Result<std::string> read_text_file(const std::string& path, std::uint64_t bytes_max);

// Writes the file whole or not at all: a temporary beside it, fsync, rename. Survives kill -9.
[[nodiscard]] Result<> write_file(const std::string& path, std::span<const std::uint8_t> bytes);

// SHA-256 as 64 lower-case hex digits.
[[nodiscard]] std::string sha256_hex(std::span<const std::uint8_t> bytes);

// "no such file or directory", for errno values in messages.
[[nodiscard]] std::string errno_text(int code);

}  // namespace funcd
