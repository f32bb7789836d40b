#include "base/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace funcd {
namespace {

bool is_between(char byte, unsigned low, unsigned high) {
  const auto value = static_cast<unsigned char>(byte);
  return value >= low && value <= high;
}

bool is_continuation(char byte) {
  return is_between(byte, 0x80, 0xBF);
}

}  // namespace

std::size_t utf8_size(std::string_view text) {
  if (text.empty()) return 0;
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return text.size() >= 2 && is_continuation(text[1]) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return text.size() >= 3 && is_between(text[1], low, high) && is_continuation(text[2]) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return text.size() >= 4 && is_between(text[1], low, high) && is_continuation(text[2]) &&
                   is_continuation(text[3])
               ? 4
               : 0;
  }
  return 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::size_t utf8_count(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char byte) { return !is_continuation(byte); }));
}

std::string cut_short(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  std::size_t size = bytes_max;
  while (size > 0 && is_continuation(text[size])) --size;
  return std::string(text.substr(0, size)) + "...";
}

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const auto size = utf8_size(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    const bool is_c1 = size == 2 && byte == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    if (size == 0 || byte < 0x20 || byte == 0x7F || is_c1) {
      shown += fmt::format("\\x{:02x}", byte);
      text.remove_prefix(1);
      continue;
    }
    shown += text.substr(0, size);
    text.remove_prefix(size);
  }
  return shown;
}

}  // namespace funcd
