#include "registry/canary.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "http/characters.h"

namespace funcd::registry {
namespace {

constexpr std::size_t kHeaderNameBytesMax = 64;
constexpr std::string_view kHeaderPrefix = "header:";

// FNV-1a, 64 bits.
constexpr std::uint64_t kHashBegin = 14'695'981'039'346'656'037ULL;
std::uint64_t hashed(std::uint64_t hash, std::string_view text) {
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1'099'511'628'211ULL;
  }
  return hash;
}

// Spreads what differs in the last characters only over all bits: the finalizer of splitmix64.
std::uint64_t mixed(std::uint64_t hash) {
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  return hash ^ (hash >> 31);
}

}  // namespace

std::optional<CanaryName> canary_name_of(std::string_view name) {
  const std::size_t at = name.rfind('@');
  if (at == std::string_view::npos || name.find('/', at) != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view digits = name.substr(at + 1);
  std::uint64_t number = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || digits[0] == '0' ||
      number > kCanaryNumberMax) {
    return std::nullopt;
  }
  return CanaryName{name.substr(0, at), number};
}

std::string canary_path(std::string_view path, std::uint64_t number) {
  const std::size_t dot = std::min(path.find('.', path.rfind('/') + 1), path.size());
  return fmt::format("{}@{}{}", path.substr(0, dot), number, path.substr(dot));
}

Result<std::uint32_t> parse_weight(std::string_view text) {
  const auto refuse = [text] {
    return fail("'{}' is no weight; write \"5%\", from \"0%\" to \"100%\", in steps of 0.01%",
                text);
  };
  if (!text.ends_with('%')) return refuse();
  const std::string_view number = text.substr(0, text.size() - 1);
  const std::string_view whole = number.substr(0, number.find('.'));
  std::string_view part;
  if (whole.size() < number.size()) {
    part = number.substr(whole.size() + 1);
    if (part.empty() || part.size() > 2) return refuse();
  }
  if (!http::is_digits(whole) || whole.size() > 3 || !std::ranges::all_of(part, http::is_digit)) {
    return refuse();
  }
  std::string digits(whole);
  digits += part;
  digits.append(2 - part.size(), '0');
  std::uint32_t weight = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), weight);
  if (weight > kWholeWeight) return refuse();
  return weight;
}

std::string format_weight(std::uint32_t weight) {
  std::string text = fmt::format("{}.{:02}", weight / 100, weight % 100);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text + "%";
}

Result<Stickiness> parse_stickiness(std::string_view text) {
  if (text == "none") return Stickiness{};
  if (text == "cookie") return Stickiness{.kind = Stickiness::Kind::cookie};
  if (text.starts_with(kHeaderPrefix)) {
    std::string name = lower(text.substr(kHeaderPrefix.size()));
    if (http::is_token(name) && name.size() <= kHeaderNameBytesMax) {
      return Stickiness{.kind = Stickiness::Kind::header, .header = std::move(name)};
    }
  }
  return fail("'{}' holds no client; write \"none\", \"cookie\" or \"header:NAME\"", text);
}

std::string format_stickiness(const Stickiness& sticky) {
  switch (sticky.kind) {
    case Stickiness::Kind::cookie:
      return "cookie";
    case Stickiness::Kind::header:
      return std::string(kHeaderPrefix) + sticky.header;
    default:
      return "none";
  }
}

std::uint32_t canary_point(std::string_view function, std::uint64_t number,
                           std::string_view client) {
  // Another canary asks other clients first; what separates the three is in none of them.
  std::uint64_t hash = hashed(kHashBegin, function);
  hash = hashed(hash, fmt::format("@{}\n", number));
  hash = mixed(hashed(hash, client));
  return static_cast<std::uint32_t>((hash >> 32) * kWholeWeight >> 32);
}

}  // namespace funcd::registry
