#include "registry/json_equal.h"

#include <algorithm>
#include <functional>

#include "registry/json_scalar.h"

namespace funcd::registry {
namespace {

// Of elements whose hashes are equal though they are not.
constexpr std::size_t kComparisonsMax = 100'000;

bool is_equal_number(std::string_view left, std::string_view right) {
  if (left == right) return true;
  const Number one = number_of(left);
  const Number other = number_of(right);
  const bool are_large_integers = !one.exact && !other.exact && one.is_whole && other.is_whole &&
                                  left.find_first_of(".eE") == left.npos &&
                                  right.find_first_of(".eE") == right.npos;
  return !are_large_integers && Number::compare(one, other) == 0;
}

// Members in the order of their keys; of equal keys the last one counts.
std::vector<const JsonNode*> sorted_members(const JsonNode& object) {
  std::vector<const JsonNode*> keys;
  keys.reserve(object.size);
  for (const JsonNode* key = object.begin(); key != object.end(); key = key->next_key()) {
    keys.push_back(key);
  }
  const auto by_text = [](const JsonNode* left, const JsonNode* right) {
    return left->text() < right->text();
  };
  std::stable_sort(keys.begin(), keys.end(), by_text);
  const auto is_same_text = [](const JsonNode* left, const JsonNode* right) {
    return left->text() == right->text();
  };
  // unique() keeps the first of a run, and the last one is wanted.
  keys.erase(keys.begin(), std::unique(keys.rbegin(), keys.rend(), is_same_text).base());
  return keys;
}

std::size_t mixed(std::size_t seed, std::size_t value) {
  return seed ^ (value + 0x9E3779B97F4A7C15ULL + (seed << 6) + (seed >> 2));
}

// Equal values have equal hashes.
std::size_t hash_of(const JsonNode& node) {
  const auto kind = static_cast<std::size_t>(node.kind);
  std::size_t hash = mixed(kind, 1);
  switch (node.kind) {
    case JsonKind::null:
      break;
    case JsonKind::boolean:
      hash = mixed(hash, node.boolean ? 1 : 0);
      break;
    case JsonKind::string:
      hash = mixed(hash, std::hash<std::string_view>()(node.text()));
      break;
    case JsonKind::number:
      hash = mixed(hash, std::hash<double>()(number_of(node.text()).approximate));
      break;
    case JsonKind::array:
      for (const JsonNode* each = node.begin(); each != node.end(); each = each->after()) {
        hash = mixed(hash, hash_of(*each));
      }
      break;
    case JsonKind::object:
      for (const JsonNode* key : sorted_members(node)) {
        hash =
            mixed(mixed(hash, std::hash<std::string_view>()(key->text())), hash_of(key->value()));
      }
      break;
  }
  return hash;
}

bool is_equal_array(const JsonNode& left, const JsonNode& right) {
  if (left.size != right.size) return false;
  const JsonNode* other = right.begin();
  for (const JsonNode* each = left.begin(); each != left.end(); each = each->after()) {
    if (!json_equal(*each, *other)) return false;
    other = other->after();
  }
  return true;
}

bool is_equal_object(const JsonNode& left, const JsonNode& right) {
  const auto is_equal_member = [](const JsonNode* one, const JsonNode* other) {
    return one->text() == other->text() && json_equal(one->value(), other->value());
  };
  const std::vector<const JsonNode*> ours = sorted_members(left);
  const std::vector<const JsonNode*> theirs = sorted_members(right);
  return std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(), is_equal_member);
}

}  // namespace

bool json_equal(const JsonNode& left, const JsonNode& right) {
  if (left.kind != right.kind) return false;
  switch (left.kind) {
    case JsonKind::null:
      return true;
    case JsonKind::boolean:
      return left.boolean == right.boolean;
    case JsonKind::string:
      return left.text() == right.text();
    case JsonKind::number:
      return is_equal_number(left.text(), right.text());
    case JsonKind::array:
      return is_equal_array(left, right);
    case JsonKind::object:
      return is_equal_object(left, right);
  }
  return false;
}

bool are_elements_unique(const JsonNode& array) {
  struct Hashed {
    std::size_t hash;
    const JsonNode* node;
  };
  std::vector<Hashed> elements;
  elements.reserve(array.size);
  for (const JsonNode* each = array.begin(); each != array.end(); each = each->after()) {
    elements.push_back({hash_of(*each), each});
  }
  std::sort(elements.begin(), elements.end(),
            [](const Hashed& left, const Hashed& right) { return left.hash < right.hash; });
  std::size_t comparisons = 0;
  for (std::size_t i = 0; i + 1 < elements.size(); ++i) {
    for (std::size_t j = i + 1; j < elements.size() && elements[j].hash == elements[i].hash; ++j) {
      if (++comparisons > kComparisonsMax) return false;
      if (json_equal(*elements[i].node, *elements[j].node)) return false;
    }
  }
  return true;
}

}  // namespace funcd::registry
