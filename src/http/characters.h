#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace funcd::http {

constexpr std::string_view kLettersAndDigits =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

// A set of bytes, asked in one load.
class CharacterSet {
 public:
  constexpr CharacterSet(std::string_view some, std::string_view more) {
    for (const char c : some) has_[static_cast<unsigned char>(c)] = true;
    for (const char c : more) has_[static_cast<unsigned char>(c)] = true;
  }
  [[nodiscard]] constexpr bool has(char c) const { return has_[static_cast<unsigned char>(c)]; }

 private:
  std::array<bool, 256> has_{};
};

// tchar (RFC 9110 5.6.2).
inline constexpr CharacterSet kTokenCharacters(kLettersAndDigits, "!#$%&'*+-.^_`|~");

[[nodiscard]] constexpr bool is_token_char(char c) {
  return kTokenCharacters.has(c);
}

[[nodiscard]] constexpr bool is_token(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!is_token_char(c)) return false;
  }
  return true;
}

[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

[[nodiscard]] constexpr bool is_digits(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!is_digit(c)) return false;
  }
  return true;
}

// A control character: any of them can end a line or a string somewhere down the way.
[[nodiscard]] constexpr bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

// field-value (RFC 9110 5.5): tabs are the only control characters in it.
[[nodiscard]] constexpr bool is_field_value(std::string_view text) {
  for (const char c : text) {
    if (is_control(c) && c != '\t') return false;
  }
  return true;
}

}  // namespace funcd::http
