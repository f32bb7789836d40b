#include "engine/guest.h"

#include <algorithm>

namespace funcd::engine {

void StringBlock::add(std::string_view text) {
  offsets_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  bytes_.append(text.substr(0, text.find('\0'))).push_back('\0');
}

void StringBlock::add(std::string_view key, std::string_view value) {
  offsets_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  bytes_.append(key).append(1, '=').append(value.substr(0, value.find('\0'))).push_back('\0');
}

void StringBlock::reserve(std::size_t bytes, std::size_t count) {
  bytes_.reserve(bytes);
  offsets_.reserve(count);
}

std::vector<std::string_view> StringBlock::strings() const {
  std::vector<std::string_view> all;
  all.reserve(offsets_.size());
  for (const std::uint32_t offset : offsets_) all.emplace_back(bytes_.c_str() + offset);
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
