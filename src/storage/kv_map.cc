#include "storage/kv_map.h"

namespace funcd::storage {

KvChange difference(const KvMap& before, const KvMap& after) {
  KvChange change;
  for (const auto& [key, value] : after) {
    const auto at = before.find(key);
    if (at == before.end() || at->second != value) change.set.emplace_back(key, value);
  }
  for (const auto& [key, value] : before) {
    if (!after.contains(key)) change.removed.push_back(key);
  }
  return change;
}

std::uint64_t bytes_of(const KvMap& map) {
  std::uint64_t bytes = 0;
  for (const auto& [key, value] : map) bytes += key.size() + value.size();
  return bytes;
}

}  // namespace funcd::storage
