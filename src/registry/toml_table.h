#pragma once

#include <toml++/toml.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace funcd::registry {

// Reads one table of a TOML file key by key, in the order of the file. Every error names file and
// line: "hello.toml:3: unknown key 'tiemout' in [limits]; did you mean 'timeout'?".
class TomlTable {
 public:
  // `name` is what stands in brackets: "limits"; empty for the file itself. Both outlive this.
  TomlTable(const toml::table& table, std::string_view name, std::string_view file)
      : table_(table), name_(name), file_(file) {}

  struct Key {
    std::string_view name;
    std::function<Result<>(const toml::node& node)> read;
  };
  // Calls each key's reader; a key that is not among them is an error. A reader's own error gets
  // file, line and key put before it.
  [[nodiscard]] Result<> read(std::initializer_list<Key> keys) const;
  // Calls `read` for every key, whatever its name.
  [[nodiscard]] Result<> read_all(
      const std::function<Result<>(std::string_view key, const toml::node& node)>& read) const;

 private:
  [[nodiscard]] tl::unexpected<Error> unknown(const toml::key& key,
                                              std::initializer_list<Key> keys) const;
  [[nodiscard]] tl::unexpected<Error> error_at(const toml::key& key, const Error& error) const;

  const toml::table& table_;
  std::string_view name_;
  std::string_view file_;
};

// Keys of a table in the order of the file.
[[nodiscard]] std::vector<std::pair<const toml::key*, const toml::node*>> in_file_order(
    const toml::table& table);

// What a value is, for messages: "a string", "an integer", "an array".
[[nodiscard]] std::string_view kind_of(const toml::node& node);

// The value, or "expected a string, got an integer".
[[nodiscard]] Result<std::string> string_of(const toml::node& node);
[[nodiscard]] Result<bool> boolean_of(const toml::node& node);
[[nodiscard]] Result<const toml::table*> table_of(const toml::node& node);
[[nodiscard]] Result<const toml::array*> array_of(const toml::node& node);
// Between min and max: "expected 1 to 1000, got 0".
[[nodiscard]] Result<std::int64_t> integer_of(const toml::node& node, std::int64_t min,
                                              std::int64_t max);

// JSON text of any value; what JSON has no type for (a date, a time) is a string, as TOML writes
// it. Not-a-number and infinity are errors.
[[nodiscard]] Result<std::string> json_of(const toml::node& node);

}  // namespace funcd::registry
