#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace funcd::contract {

// Reads "a=1&b=two" pair by pair: a query string or a form body (WHATWG URL 5.1): '+' is a space,
// the rest is percent-decoded once, empty pairs are passed over, a key without '=' has an empty
// value.
class QueryReader {
 public:
  struct Pair {
    std::string_view key;
    std::string_view value;
  };

  explicit QueryReader(std::string_view text) : rest_(text) {}

  // The next pair, good until the next call; nothing at the end, or when is_broken().
  [[nodiscard]] std::optional<Pair> next();
  // A '%' without two hex digits after it, or bytes that are no UTF-8: nothing more is read.
  [[nodiscard]] bool is_broken() const { return is_broken_; }

 private:
  std::string_view decoded(std::string_view text, std::string& buffer);

  std::string_view rest_;
  std::string key_;
  std::string value_;
  bool is_broken_ = false;
};

}  // namespace funcd::contract
