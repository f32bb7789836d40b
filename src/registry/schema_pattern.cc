// How many states a match may visit before it is given up.
#define BOOST_REGEX_MAX_STATE_COUNT 5000000

#include "registry/schema_pattern.h"

#include <boost/regex.hpp>

#include "base/utf8.h"

namespace funcd::registry {
namespace {

// Code points of well-formed UTF-8; wchar_t holds one each.
std::wstring code_points_of(std::string_view text) {
  static_assert(sizeof(wchar_t) == 4);
  std::wstring points;
  points.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    if (size == 0) break;
    auto point = static_cast<unsigned char>(text[0]) & (size == 1 ? 0x7FU : 0x7FU >> size);
    for (std::size_t i = 1; i < size; ++i) {
      point = (point << 6) | (static_cast<unsigned char>(text[i]) & 0x3FU);
    }
    points += static_cast<wchar_t>(point);
    text.remove_prefix(size);
  }
  return points;
}

// The escapes that ECMA 262 writes otherwise than Boost: \uXXXX is a code point, \cX a control
// character, \Z and the like are the letters.
std::wstring translated(const std::wstring& expression) {
  std::wstring out;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    if (expression[i] != L'\\' || i + 1 == expression.size()) {
      out += expression[i];
      continue;
    }
    const wchar_t escaped = expression[++i];
    const std::wstring digits = expression.substr(i + 1, 4);
    const bool is_hex =
        digits.size() == 4 && digits.find_first_not_of(L"0123456789abcdefABCDEF") == digits.npos;
    if (escaped == L'u' && is_hex) {
      out += L"\\x{" + digits + L"}";
      i += 4;
    } else if (std::wstring_view(L"aAeghHGKlLNoQEuUXyYzZ`'<>").find(escaped) !=
               std::wstring::npos) {
      out += escaped;
    } else {
      out += L'\\';
      out += escaped;
    }
  }
  return out;
}

}  // namespace

struct SchemaPattern::Compiled {
  boost::wregex regex;
};

SchemaPattern::SchemaPattern(std::string expression, std::unique_ptr<const Compiled> compiled)
    : expression_(std::move(expression)), compiled_(std::move(compiled)) {}
SchemaPattern::SchemaPattern(SchemaPattern&&) noexcept = default;
SchemaPattern& SchemaPattern::operator=(SchemaPattern&&) noexcept = default;
SchemaPattern::~SchemaPattern() = default;

Result<SchemaPattern> SchemaPattern::compile(std::string_view expression) {
  try {
    auto compiled = std::make_unique<Compiled>();
    compiled->regex.assign(translated(code_points_of(expression)),
                           boost::regex_constants::ECMAScript | boost::regex_constants::no_mod_m);
    return SchemaPattern(std::string(expression), std::move(compiled));
  } catch (const std::exception&) {
    return fail("'{}' is no regular expression", expression);
  }
}

std::optional<bool> SchemaPattern::matches(std::string_view text) const {
  const auto flags = boost::regex_constants::match_single_line | boost::regex_constants::match_any;
  try {
    return boost::regex_search(code_points_of(text), compiled_->regex, flags);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace funcd::registry
