#include "engine/guest.h"

#include <algorithm>

namespace funcd::engine {

void StringBlock::add(std::string_view text) {
  bytes_.append(text.substr(0, text.find('\0'))).push_back('\0');
  ++count_;
}

void StringBlock::add(std::string_view key, std::initializer_list<std::string_view> value) {
  const std::size_t start = bytes_.size();
  bytes_.append(key).push_back('=');
  for (const std::string_view piece : value) bytes_.append(piece);
  bytes_.resize(std::min(bytes_.find('\0', start), bytes_.size()));
  bytes_.push_back('\0');
  ++count_;
}

std::vector<std::string_view> StringBlock::strings() const {
  std::vector<std::string_view> all;
  all.reserve(count_);
  for (std::size_t at = 0; at < bytes_.size(); at += all.back().size() + 1) {
    all.emplace_back(bytes_.c_str() + at);
  }
  return all;
}

std::vector<std::string_view> names_of(const Asked& asked) {
  std::vector<std::string_view> names;
  if (asked.clock) names.emplace_back("clock");
  if (asked.random) names.emplace_back("random");
  if (asked.environment) names.emplace_back("environment");
  return names;
}

}  // namespace funcd::engine
