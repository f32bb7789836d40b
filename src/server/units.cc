#include "server/units.h"

#include <array>
#include <charconv>

namespace funcd::server {
namespace {

constexpr std::array<std::string_view, 4> kSizeUnits = {"", "KiB", "MiB", "GiB"};

}  // namespace

std::string approximate_size(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (size >= 1024 && unit + 1 < kSizeUnits.size()) {
    size /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", size, kSizeUnits[unit]);
}

Result<std::uint64_t> parse_count(std::string_view text, std::uint64_t min, std::uint64_t max) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail("expected a whole number, got '{}'", text);
  }
  if (value < min || value > max) {
    return fail("expected a number from {} to {}, got {}", min, max, value);
  }
  return value;
}

}  // namespace funcd::server
