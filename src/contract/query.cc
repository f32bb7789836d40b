#include "contract/query.h"

#include <algorithm>

#include "base/utf8.h"
#include "http/percent.h"

namespace funcd::contract {
namespace {

// Stands for itself, and is UTF-8 by itself.
bool is_literal(char character) {
  return character != '+' && character != '%' && static_cast<unsigned char>(character) < 0x80;
}

}  // namespace

std::optional<QueryReader::Pair> QueryReader::next() {
  rest_.remove_prefix(std::min(rest_.find_first_not_of('&'), rest_.size()));
  if (rest_.empty() || is_broken_) return std::nullopt;
  const std::string_view pair = rest_.substr(0, rest_.find('&'));
  rest_.remove_prefix(pair.size());
  const std::size_t equals = std::min(pair.find('='), pair.size());
  const Pair read{decoded(pair.substr(0, equals), key_),
                  decoded(pair.substr(std::min(equals + 1, pair.size())), value_)};
  if (is_broken_) return std::nullopt;
  return read;
}

std::string_view QueryReader::decoded(std::string_view text, std::string& buffer) {
  if (std::all_of(text.begin(), text.end(), is_literal)) return text;
  std::optional<std::string> bytes = http::percent_decode(text, http::Plus::space);
  if (!bytes || !is_utf8(*bytes)) {
    is_broken_ = true;
    return {};
  }
  buffer = std::move(*bytes);
  return buffer;
}

}  // namespace funcd::contract
