#include "contract/status.h"

#include <charconv>

#include "http/characters.h"

namespace funcd::contract {

std::optional<int> final_status_of(std::string_view digits) {
  constexpr std::size_t kDigits = 3;
  if (digits.size() != kDigits || !http::is_digits(digits)) return std::nullopt;
  int status = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), status);
  return is_final_status(status) ? std::optional(status) : std::nullopt;
}

bool is_final_status(int status) {
  constexpr int kLowest = 200;
  constexpr int kHighest = 599;
  return status >= kLowest && status <= kHighest;
}

bool may_have_body(int status) {
  return status != 204 && status != 304;
}

}  // namespace funcd::contract
