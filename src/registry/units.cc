#include <limits>
#include <optional>
#include <span>

#include "registry/manifest.h"

namespace funcd::registry {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit kDurations[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
constexpr Unit kSizes[] = {
    {"", 1},      {"B", 1},          {"KiB", 1ULL << 10},  {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30},
    {"KB", 1000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}};
// Digits of a number at the most, so that its products stay within 64 bits or are seen not to.
constexpr std::size_t kDigitsMax = 18;

// A decimal number and its unit, with at most a space between, in units of 1. "1.5s" is 1500 ms;
// "1.5B" is a mistake.
std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units) {
  std::uint64_t digits = 0;
  std::uint64_t scale = 1;
  std::size_t count = 0;
  bool has_point = false;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !has_point && count > 0) {
      has_point = true;
    } else if (c >= '0' && c <= '9' && count < kDigitsMax) {
      digits = digits * 10 + static_cast<std::uint64_t>(c - '0');
      scale *= has_point ? 10 : 1;
      ++count;
    } else {
      break;
    }
  }
  if (count == 0 || text[at - 1] == '.') return std::nullopt;
  std::string_view name = text.substr(at);
  if (name.size() > 1 && name.front() == ' ') name.remove_prefix(1);
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    if (digits > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
    if (digits * unit.factor % scale != 0) return std::nullopt;
    return digits * unit.factor / scale;
  }
  return std::nullopt;
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto value = parse_quantity(text, kDurations);
  if (!value) return fail("expected a time such as \"250ms\", \"10s\", \"1m\", got \"{}\"", text);
  return std::chrono::milliseconds(*value);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto value = parse_quantity(text, kSizes);
  if (!value) {
    return fail(
        "expected a size such as \"512\" (bytes), \"64KiB\", \"128MiB\", \"1GiB\", got \"{}\"",
        text);
  }
  return *value;
}

std::string format_duration(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  if (count == 0 || count % 1000 != 0) return fmt::format("{}ms", count);
  if (count % 60'000 != 0) return fmt::format("{}s", count / 1000);
  return fmt::format("{}m", count / 60'000);
}

std::string format_size(std::uint64_t bytes) {
  for (const Unit& unit : {kSizes[4], kSizes[3], kSizes[2]}) {
    if (bytes != 0 && bytes % unit.factor == 0) {
      return fmt::format("{}{}", bytes / unit.factor, unit.name);
    }
  }
  return fmt::format("{}", bytes);
}

}  // namespace funcd::registry
