#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "registry/schema_node.h"

namespace funcd::registry {

// Where and why a value does not fit: "items[3].age: expected integer, got "x"".
struct Misfit {
  std::string path;
  std::string message;
  // The place lies in that member, that element.
  void within(std::string_view member);
  void within(std::size_t index);
  [[nodiscard]] std::string text() const;
};

// A value as people are shown it: "\"zztkm\"", "20", "array"; long ones are cut.
[[nodiscard]] std::string shown(const JsonNode& node);

// Whether values fit schemas to the letter of draft 7. For one document, on one thread: the work is
// bounded for all its calls together, as alternatives within alternatives multiply.
class SchemaCheck {
 public:
  static constexpr std::size_t kStepsMax = 500'000;  // and besides
  static constexpr std::size_t kStepsMaxPerNode = 64;
  static constexpr std::size_t kDepthMax = 2'000;

  explicit SchemaCheck(const JsonNode& document)
      : steps_left_(kStepsMax + kStepsMaxPerNode * document.span) {}

  // All that the schema demands. `misfit` may be null; it is written when the answer is no.
  [[nodiscard]] bool fits(const Schema& schema, const JsonNode& node, Misfit* misfit);
  // The part of the schema that concerns the value alone, and not what is in it: `types`, `enum`,
  // bounds, `required`, and the like; nothing that is_composed tells of.
  [[nodiscard]] bool fits_type(const Schema& schema, const JsonNode& node, Misfit* misfit) const;
  [[nodiscard]] bool fits_itself(const Schema& schema, const JsonNode& node, Misfit* misfit);

  // A bound was met: every answer since is no, and none is of use.
  [[nodiscard]] bool is_exhausted() const { return steps_left_ == 0; }
  void exhaust() { steps_left_ = 0; }
  // Takes so many units of work; false when there are none left.
  [[nodiscard]] bool spend(std::size_t steps = 1) {
    steps_left_ -= std::min(steps, steps_left_);
    return steps_left_ > 0;
  }
  // Whether the pattern matches; one that backtracks without end exhausts the check.
  [[nodiscard]] bool matches(const SchemaPattern& pattern, std::string_view text);

 private:
  bool fits_composition(const Schema& schema, const JsonNode& node, Misfit* misfit);
  bool fits_alternatives(const Schema& schema, const JsonNode& node, Misfit* misfit);
  bool fits_elements(const Schema& schema, const JsonNode& array, Misfit* misfit);
  bool fits_members(const Schema& schema, const JsonNode& object, Misfit* misfit);
  bool fits_member(const Schema& schema, const JsonNode& key, Misfit* misfit);
  bool fits_string(const Schema& schema, const JsonNode& string, Misfit* misfit);
  bool fits_array(const Schema& schema, const JsonNode& array, Misfit* misfit);
  bool fits_object(const Schema& schema, const JsonNode& object, Misfit* misfit);

  std::size_t steps_left_;
  std::size_t depth_ = 0;
};

}  // namespace funcd::registry
