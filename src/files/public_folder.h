#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/descriptor.h"

namespace funcd::files {

// The name of the folder, at the top of the functions folder, whose files are served as they are.
inline constexpr std::string_view kPublicName = "public";

struct OpenFile {
  Descriptor fd;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;  // since 1970
  std::string_view media_type;   // static storage
};

struct Found {
  enum class Kind : std::uint8_t {
    file,
    folder,  // with an index: its URL ends in '/'
    absent,
    would_block,  // what is asked of the disk is not in memory
    failed,       // no descriptor is left
  };
  Kind kind = Kind::absent;
  OpenFile file;
};

enum class Wait : std::uint8_t { never, allowed };

// Where a request's path leads below the folder: decoded once, "index.html" for a folder. Nothing
// where no file can be meant: it does not decode, or has an empty, a hidden or a dot segment, or
// one with a '/' or NUL in it.
[[nodiscard]] std::optional<std::string> relative_path_of(std::string_view raw_path);

// Opens what lies at a relative path in the public folder of `source`, or with ".html" after it.
// Links are followed as long as they stay in the public folder. With Wait::never it does not wait
// for a disk (Linux 5.12).
[[nodiscard]] Found open_public_file(const std::string& source, const std::string& relative,
                                     Wait wait);

// Reads into `room` at an offset: how many bytes, 0 at the end of the file, -1 for an error, and
// nothing when it would wait, which Wait::never does not.
[[nodiscard]] std::optional<std::ptrdiff_t> read_at(int fd, char* room, std::size_t bytes,
                                                    std::uint64_t offset, Wait wait);

}  // namespace funcd::files
