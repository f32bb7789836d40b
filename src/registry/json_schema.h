#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace funcd::registry {

// A compiled JSON Schema (draft 7), with the leniency of the response model that users of the
// `data` contract know: a number in a string passes for a number, a property that the schema does
// not name is dropped.
class JsonSchema {
 public:
  // `file` names the schema in errors.
  [[nodiscard]] static Result<std::shared_ptr<const JsonSchema>> parse(std::string_view json,
                                                                      std::string_view file);
  ~JsonSchema();
  JsonSchema(const JsonSchema&) = delete;
  JsonSchema& operator=(const JsonSchema&) = delete;

  // The document as the schema wants it, compact, numbers digit for digit as they were written;
  // or why it does not fit: "age: expected integer, got \"x\"". Thread-safe.
  [[nodiscard]] Result<std::string> conform(std::string_view json) const;

  // "integer", "number", "boolean", "string", ... of a top-level property; "" when not named.
  [[nodiscard]] std::string_view type_of(std::string_view property) const;

 private:
  struct Body;
  explicit JsonSchema(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace funcd::registry
