#include "registry/json_surrogate.h"

#include <charconv>

namespace funcd::registry {
namespace {

constexpr std::size_t kEscapeSize = 6;  // \uXXXX
constexpr std::string_view kMarkEscape = "\\ufdd0";

// The code unit of an escape at the start of `text`, or -1.
int code_unit_at(std::string_view text) {
  if (text.size() < kEscapeSize || !text.starts_with("\\u")) return -1;
  int unit = -1;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + kEscapeSize, unit, 16);
  return error == std::errc() && end == text.data() + kEscapeSize ? unit : -1;
}

bool is_high(int unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
bool is_low(int unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

}  // namespace

std::optional<std::string> mark_lone_surrogates(std::string_view json) {
  std::optional<std::string> marked;
  for (std::size_t at = json.find('\\'); at < json.size(); at = json.find('\\', at)) {
    const int unit = code_unit_at(json.substr(at));
    if (unit < 0) {
      at += 2;  // of a character, a backslash among them
      continue;
    }
    if (is_high(unit) && is_low(code_unit_at(json.substr(at + kEscapeSize)))) {
      at += 2 * kEscapeSize;
      continue;
    }
    if (is_high(unit) || is_low(unit)) {
      if (!marked) marked = json;
      marked->replace(at, kEscapeSize, kMarkEscape);
    }
    at += kEscapeSize;
  }
  return marked;
}

}  // namespace funcd::registry
