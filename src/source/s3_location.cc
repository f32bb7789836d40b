#include "source/s3_location.h"

#include <algorithm>

namespace funcd::source {
namespace {

constexpr std::string_view kScheme = "s3://";
constexpr std::size_t kBucketCharsMin = 3;
constexpr std::size_t kBucketCharsMax = 63;
constexpr std::size_t kPrefixBytesMax = 512;

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

Result<> check_bucket(std::string_view bucket) {
  if (bucket.empty()) return fail("names no bucket: write s3://BUCKET or s3://BUCKET/PREFIX");
  const bool has_good_length = bucket.size() >= kBucketCharsMin && bucket.size() <= kBucketCharsMax;
  const bool has_good_chars = std::ranges::all_of(
      bucket, [](char c) { return is_lower_or_digit(c) || c == '-' || c == '.'; });
  const bool has_good_ends = is_lower_or_digit(bucket.front()) && is_lower_or_digit(bucket.back());
  if (has_good_length && has_good_chars && has_good_ends) return {};
  return fail(
      "'{}' is no bucket's name: it has 3 to 63 lower-case letters, digits, '-' and '.', and a "
      "letter or digit at both ends",
      bucket);
}

Result<> check_prefix(std::string_view prefix) {
  if (prefix.size() > kPrefixBytesMax) {
    return fail("its prefix has more than {} bytes", kPrefixBytesMax);
  }
  for (std::string_view rest = prefix; !rest.empty();) {
    const auto slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") {
      return fail("its prefix '{}' has the segment '{}'", prefix, segment);
    }
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  const bool has_control =
      std::ranges::any_of(prefix, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (has_control) return fail("its prefix has control characters");
  return {};
}

}  // namespace

bool is_s3_url(std::string_view text) {
  return text.starts_with(kScheme);
}

Result<S3Location> parse_s3_url(std::string_view text) {
  if (!is_s3_url(text)) return fail("'{}' does not begin with s3://", text);
  const std::string_view rest = text.substr(kScheme.size());
  const auto slash = rest.find('/');
  std::string_view prefix =
      slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  S3Location location;
  location.bucket = rest.substr(0, slash);
  location.prefix = prefix;
  if (auto checked = check_bucket(location.bucket); !checked) {
    return fail("{}: {}", text, checked.error().message);
  }
  if (auto checked = check_prefix(prefix); !checked) {
    return fail("{}: {}", text, checked.error().message);
  }
  if (!location.prefix.empty()) location.prefix += '/';
  return location;
}

std::string format_s3_url(const S3Location& location) {
  std::string text = fmt::format("{}{}/{}", kScheme, location.bucket, location.prefix);
  text.pop_back();
  return text;
}

std::string encode_uri(std::string_view text, Slash slash) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const bool is_plain = is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
                          c == '_' || c == '~' || (c == '/' && slash == Slash::kept);
    if (is_plain) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += kHex[byte >> 4];
      encoded += kHex[byte & 15];
    }
  }
  return encoded;
}

}  // namespace funcd::source
