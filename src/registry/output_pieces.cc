#include "registry/output_pieces.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>
#include <vector>

namespace funcd::registry {
namespace {

using Pieces = std::vector<std::string_view>;

// Of numbers, dates and base64 too.
bool is_of_a_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("_.+-/=").find(c) != std::string_view::npos;
}

Pieces pieces_of(std::string_view output) {
  Pieces pieces;
  while (!output.empty()) {
    const auto end = std::ranges::find_if_not(output, is_of_a_word);
    const auto size = std::max<std::size_t>(1, static_cast<std::size_t>(end - output.begin()));
    pieces.push_back(output.substr(0, size));
    output.remove_prefix(size);
  }
  return pieces;
}

std::vector<Pieces> pieces_of(std::span<const std::string> outputs) {
  std::vector<Pieces> all;
  for (const std::string& output : outputs) all.push_back(pieces_of(output));
  return all;
}

// How many different ones there are at one place.
std::size_t variety_at(const std::vector<Pieces>& all, std::size_t place) {
  std::set<std::string_view> different;
  for (const Pieces& pieces : all) different.insert(pieces[place]);
  return different.size();
}

}  // namespace

std::string difference_in_pieces(std::span<const std::string> plain,
                                 std::span<const std::string> resumed) {
  const auto plainly = pieces_of(plain);
  const auto from_it = pieces_of(resumed);
  const std::size_t count = plainly.front().size();
  const auto has_as_many = [count](const Pieces& pieces) { return pieces.size() == count; };
  if (!std::ranges::all_of(plainly, has_as_many)) return {};
  if (!std::ranges::all_of(from_it, has_as_many)) {
    return "a run from it prints something else than a plain one";
  }
  for (std::size_t place = 0; place < count; ++place) {
    const std::size_t variety = variety_at(plainly, place);
    const bool is_same = variety_at(from_it, place) == 1;
    const bool is_plains = is_same && from_it.front()[place] == plainly.front()[place];
    if (variety == 1 && !is_plains) {
      return "a run from it prints something else than a plain one";
    }
    if (variety == plainly.size() && is_same) {
      return "runs from it print the same where no two plain ones do";
    }
  }
  return {};
}

}  // namespace funcd::registry
