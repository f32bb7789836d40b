#include "registry/toml_table.h"

#include <algorithm>
#include <sstream>
#include <utility>
#include <vector>

#include "base/suggestion.h"

namespace funcd::registry {

std::vector<std::pair<const toml::key*, const toml::node*>> in_file_order(
    const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> keys;
  keys.reserve(table.size());
  for (const auto& [key, node] : table) keys.emplace_back(&key, &node);
  std::stable_sort(keys.begin(), keys.end(), [](const auto& left, const auto& right) {
    return left.first->source().begin < right.first->source().begin;
  });
  return keys;
}

Result<> TomlTable::read(std::initializer_list<Key> keys) const {
  for (const auto& [key, node] : in_file_order(table_)) {
    const auto known = std::find_if(keys.begin(), keys.end(), [key = key](const Key& candidate) {
      return candidate.name == key->str();
    });
    if (known == keys.end()) return unknown(*key, keys);
    if (const auto result = known->read(*node); !result) return error_at(*key, result.error());
  }
  return {};
}

Result<> TomlTable::read_all(
    const std::function<Result<>(std::string_view key, const toml::node& node)>& read) const {
  for (const auto& [key, node] : in_file_order(table_)) {
    if (const auto result = read(key->str(), *node); !result) return error_at(*key, result.error());
  }
  return {};
}

tl::unexpected<Error> TomlTable::unknown(const toml::key& key,
                                         std::initializer_list<Key> keys) const {
  std::vector<std::string_view> names;
  for (const Key& known : keys) names.push_back(known.name);
  const auto near_miss = nearest(key.str(), names);
  return fail("{}:{}: unknown key '{}'{}; {}known are {}", file_, key.source().begin.line,
              key.str(), name_.empty() ? "" : fmt::format(" in [{}]", name_),
              near_miss ? fmt::format("did you mean '{}'? ", *near_miss) : "",
              fmt::join(names, ", "));
}

tl::unexpected<Error> TomlTable::error_at(const toml::key& key, const Error& error) const {
  // What lies deeper has named its place already.
  if (error.message.starts_with(fmt::format("{}:", file_))) return fail(error);
  return fail("{}:{}: {}{}{}: {}", file_, key.source().begin.line, name_, name_.empty() ? "" : ".",
              key.str(), error.message);
}

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::none:
      return "nothing";
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a float";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time";
    case toml::node_type::date_time:
      return "a date with time";
  }
  return "something else";
}

Result<std::string> string_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  return fail("expected a string, got {}", kind_of(node));
}

Result<bool> boolean_of(const toml::node& node) {
  if (const auto* boolean = node.as_boolean()) return boolean->get();
  return fail("expected true or false, got {}", kind_of(node));
}

Result<const toml::table*> table_of(const toml::node& node) {
  if (const auto* table = node.as_table()) return table;
  return fail("expected a table, got {}", kind_of(node));
}

Result<const toml::array*> array_of(const toml::node& node) {
  if (const auto* array = node.as_array()) return array;
  return fail("expected an array, got {}", kind_of(node));
}

Result<std::int64_t> integer_of(const toml::node& node, std::int64_t min, std::int64_t max) {
  const auto* integer = node.as_integer();
  if (integer == nullptr) return fail("expected an integer, got {}", kind_of(node));
  if (integer->get() < min || integer->get() > max) {
    return fail("expected {} to {}, got {}", min, max, integer->get());
  }
  return integer->get();
}

}  // namespace funcd::registry
