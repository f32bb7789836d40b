#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace funcd::registry {

// A regular expression of a JSON Schema: ECMA 262, over code points, anywhere in the text unless it
// is anchored. Immutable and thread-safe.
class SchemaPattern {
 public:
  [[nodiscard]] static Result<SchemaPattern> compile(std::string_view expression);
  SchemaPattern(SchemaPattern&&) noexcept;
  SchemaPattern& operator=(SchemaPattern&&) noexcept;
  ~SchemaPattern();

  // Nothing when the expression backtracks too much over the text: work is bounded, to some 50 ms.
  [[nodiscard]] std::optional<bool> matches(std::string_view text) const;
  [[nodiscard]] const std::string& expression() const { return expression_; }

 private:
  struct Compiled;
  SchemaPattern(std::string expression, std::unique_ptr<const Compiled> compiled);

  std::string expression_;
  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace funcd::registry
