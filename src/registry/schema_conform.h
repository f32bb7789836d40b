#pragma once

#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "registry/json_schema.h"
#include "registry/schema_check.h"

namespace funcd::registry {

// Writes a value as a schema wants it. Where a type is asked for, scalars of another type pass as
// json_scalar.h says. A value conforms to several schemas at once: its own, those of `allOf` and
// `$ref`, and the alternative that was chosen of `anyOf`, `oneOf` and `if`: the first that fits to
// the letter, else the first that the value can be made to fit. Other keywords (`not`, `contains`,
// `uniqueItems`, ...) look at the value as it came. For one document, on one thread.
class SchemaConform {
 public:
  // `document` is what write() will be given.
  SchemaConform(const JsonNode& document, Unnamed unnamed, std::string& out)
      : out_(out), unnamed_(unnamed), check_(document) {}

  // Appends to `out`; on false what was appended is of no use, and misfit, if any, says why.
  [[nodiscard]] bool write(const Schema& schema, const JsonNode& node, Misfit* misfit);
  // A bound of SchemaCheck was met: the answer is no use.
  [[nodiscard]] bool is_exhausted() const { return check_.is_exhausted(); }

 private:
  using Schemas = boost::container::small_vector<const Schema*, 6>;
  enum class Rule : std::uint8_t { any_of, one_of };
  using Parts = std::span<const Schema* const>;  // expanded: all that bears on one value
  // For each part after the other, for each of its properties: the key of the member, or null.
  using Slots = boost::container::small_vector<const JsonNode*, 16>;

  bool write_all(const Schemas& schemas, const JsonNode& node, Misfit* misfit);
  bool write_union(const Schema& schema, const JsonNode& node, Misfit* misfit);
  bool expand(const Schema& schema, Schemas& parts);
  bool choose(const Schema& schema, const JsonNode& node, Schemas& parts, Misfit* misfit);
  const Schema* choose_of(const Schema::Schemas& alternatives, Rule rule, const JsonNode& node,
                          Misfit* misfit);
  const Schema* find_exact(const Schema::Schemas& alternatives, Rule rule, const JsonNode& node,
                           bool& is_ambiguous);

  bool write_parts(Parts parts, const JsonNode& node, Misfit* misfit);
  bool write_scalar(Parts parts, const JsonNode& node, Misfit* misfit);
  bool write_array(Parts parts, const JsonNode& array, Misfit* misfit);
  bool write_object(Parts parts, const JsonNode& object, Misfit* misfit);
  bool write_in_schema_order(Parts parts, const JsonNode& object, Misfit* misfit);
  bool write_in_source_order(Parts parts, const JsonNode& object, Misfit* misfit);
  bool write_named(Parts parts, const JsonNode& key, Misfit* misfit);
  bool write_unnamed(Parts parts, const JsonNode& key, Misfit* misfit);
  bool write_member(const Schemas& schemas, const JsonNode& key, Misfit* misfit);
  bool add_patterns(const Schema& part, std::string_view key, Schemas& schemas);
  static Slots slots_of(Parts parts, const JsonNode& object);

  std::string& out_;
  const Unnamed unnamed_;
  SchemaCheck check_;
  std::size_t depth_ = 0;
};

}  // namespace funcd::registry
