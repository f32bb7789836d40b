#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace funcd::source {

// What "s3://BUCKET/PREFIX" names.
struct S3Location {
  std::string bucket;
  std::string prefix;  // "" or "fns/prod/": with its slash
};

// Whether a text means a bucket at all, good or bad: it begins with "s3://".
[[nodiscard]] bool is_s3_url(std::string_view text);
// Errors say what is wrong with the name (rules: Amazon S3 user guide, "Bucket naming rules").
[[nodiscard]] Result<S3Location> parse_s3_url(std::string_view text);
// "s3://BUCKET/PREFIX", without a slash at its end.
[[nodiscard]] std::string format_s3_url(const S3Location& location);

// Percent-encodes all but A-Z a-z 0-9 - . _ ~, and '/' where it is kept, as signing asks for.
enum class Slash : std::uint8_t { kept, encoded };
[[nodiscard]] std::string encode_uri(std::string_view text, Slash slash);

}  // namespace funcd::source
