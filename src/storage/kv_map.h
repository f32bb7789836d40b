#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace funcd::storage {

// All keys and values of one store at one moment.
using KvMap = std::map<std::string, std::string, std::less<>>;

// What leads from one map to another: only these keys change, whatever the others are by then.
struct KvChange {
  std::vector<std::pair<std::string, std::string>> set;
  std::vector<std::string> removed;

  [[nodiscard]] bool is_empty() const { return set.empty() && removed.empty(); }
};

[[nodiscard]] KvChange difference(const KvMap& before, const KvMap& after);

// Of keys and values together.
[[nodiscard]] std::uint64_t bytes_of(const KvMap& map);

}  // namespace funcd::storage
