#include "base/suggestion.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace funcd {
namespace {

// Letters to add, drop, replace or swap with their neighbour (optimal string alignment), three rows
// at a time.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> before(right.size() + 1);
  std::vector<std::size_t> above(right.size() + 1);
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(above.begin(), above.end(), std::size_t{0});
  for (std::size_t i = 1; i <= left.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const bool is_same = left[i - 1] == right[j - 1];
      row[j] = std::min({above[j - 1] + (is_same ? 0 : 1), above[j] + 1, row[j - 1] + 1});
      const bool is_swapped =
          i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
      if (is_swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above.back();
}

}  // namespace

std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates) {
  constexpr std::size_t kWordSizeMax = 64;
  if (word.size() > kWordSizeMax) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const auto candidate : candidates) {
    const auto candidate_distance = distance(word, candidate);
    if (candidate_distance >= best_distance) continue;
    best_distance = candidate_distance;
    best = candidate;
  }
  return best;
}

}  // namespace funcd
