#include "registry/json_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/text.h"

namespace funcd::registry {
namespace {

constexpr double kTwoTo63 = 9223372036854775808.0;

bool is_digit(char character) {
  return character >= '0' && character <= '9';
}

// Unicode's White_Space (UAX 44), as UTF-8.
constexpr std::array<std::string_view, 25> kSpaces = {
    " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\u0085", "\u00A0", "\u1680",
    "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008",
    "\u2009", "\u200A", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};

std::string_view trim(std::string_view text) {
  const auto starts = [&](std::string_view space) { return text.starts_with(space); };
  const auto ends = [&](std::string_view space) { return text.ends_with(space); };
  for (auto space = std::find_if(kSpaces.begin(), kSpaces.end(), starts); space != kSpaces.end();
       space = std::find_if(kSpaces.begin(), kSpaces.end(), starts)) {
    text.remove_prefix(space->size());
  }
  for (auto space = std::find_if(kSpaces.begin(), kSpaces.end(), ends); space != kSpaces.end();
       space = std::find_if(kSpaces.begin(), kSpaces.end(), ends)) {
    text.remove_suffix(space->size());
  }
  return text;
}

// `text` without underscores, each of which stood between two digits.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string digits;
  digits.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits += text[i];
      continue;
    }
    const bool is_between =
        i > 0 && i + 1 < text.size() && is_digit(text[i - 1]) && is_digit(text[i + 1]);
    if (!is_between) return std::nullopt;
  }
  return digits;
}

// Digits only, without a sign.
bool append_digits(std::string& out, bool is_negative, std::string_view digits) {
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) return false;
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size() - 1));
  if (digits.size() > kIntegerDigitsMax) return false;
  if (is_negative && digits != "0") out += '-';
  out += digits;
  return true;
}

bool is_number_of_json(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const auto take_digits = [&] {
    std::size_t count = 0;
    while (count < text.size() && is_digit(text[count])) ++count;
    text.remove_prefix(count);
    return count;
  };
  if (text.starts_with('0')) {
    text.remove_prefix(1);
  } else if (take_digits() == 0) {
    return false;
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (take_digits() == 0) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (take_digits() == 0) return false;
  }
  return text.empty();
}

// The whole of `text` as a double; infinite or zero when it is out of a double's range.
std::optional<double> double_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) return {};
  // from_chars does not say which end of the range it has left; strtod does.
  if (error == std::errc::result_out_of_range)
    value = std::strtod(std::string(text).c_str(), nullptr);
  return value;
}

}  // namespace

bool append_integer_of_text(std::string& out, std::string_view text) {
  text = trim(text);
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  const std::size_t dot = text.find('.');
  if (dot != text.npos) {
    const std::string_view zeros = text.substr(dot + 1);
    if (zeros.empty() || zeros.find_first_not_of('0') != zeros.npos) return false;
    text = text.substr(0, dot);
  }
  if (text.find('_') == text.npos) return append_digits(out, is_negative, text);
  const std::optional<std::string> digits = without_underscores(text);
  return digits && append_digits(out, is_negative, *digits);
}

bool append_integer_of_number(std::string& out, std::string_view number) {
  const bool is_negative = number.starts_with('-');
  if (number.find_first_of(".eE") == number.npos) {
    return append_digits(out, is_negative, number.substr(is_negative ? 1 : 0));
  }
  const std::optional<double> value = double_of(number);
  if (!value || std::trunc(*value) != *value || std::fabs(*value) >= kTwoTo63) return false;
  std::array<char, 24> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(),
                                          static_cast<std::int64_t>(*value));
  out.append(digits.data(), end);
  return true;
}

bool append_number_of_text(std::string& out, std::string_view text) {
  text = trim(text);
  const std::optional<std::string> digits = without_underscores(text);
  if (!digits) return false;
  std::string_view bare = *digits;
  if (bare.starts_with('+')) bare.remove_prefix(1);
  const std::optional<double> value = double_of(bare);
  const bool is_signed_twice = digits->starts_with("+-");
  if (!value || !std::isfinite(*value) || is_signed_twice) return false;
  if (is_number_of_json(bare)) {
    out += bare;
    return true;
  }
  std::array<char, 32> shortest;
  const auto [end, error] =
      std::to_chars(shortest.data(), shortest.data() + shortest.size(), *value);
  out.append(shortest.data(), end);
  return true;
}

std::optional<bool> boolean_of_text(std::string_view text) {
  constexpr std::size_t kLongest = 5;
  constexpr std::array<std::string_view, 6> kTrue = {"1", "on", "t", "true", "y", "yes"};
  constexpr std::array<std::string_view, 6> kFalse = {"0", "off", "f", "false", "n", "no"};
  if (text.size() > kLongest) return std::nullopt;
  const std::string word = lower(text);
  if (std::find(kTrue.begin(), kTrue.end(), word) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), word) != kFalse.end()) return false;
  return std::nullopt;
}

Number number_of(std::string_view json_number) {
  Number number;
  number.approximate = double_of(json_number).value_or(0);
  if (json_number.find_first_of(".eE") != json_number.npos) {
    number.is_whole = std::trunc(number.approximate) == number.approximate;
    return number;
  }
  number.is_whole = true;
  std::int64_t exact = 0;
  const char* end = json_number.data() + json_number.size();
  const auto [stop, error] = std::from_chars(json_number.data(), end, exact);
  if (error == std::errc() && stop == end) number.exact = exact;
  return number;
}

int Number::compare(const Number& left, const Number& right) {
  if (left.exact && right.exact) {
    return *left.exact < *right.exact ? -1 : static_cast<int>(*left.exact > *right.exact);
  }
  return left.approximate < right.approximate
             ? -1
             : static_cast<int>(left.approximate > right.approximate);
}

}  // namespace funcd::registry
