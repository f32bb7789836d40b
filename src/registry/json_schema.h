#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "registry/json_document.h"

namespace funcd::registry {

struct Schema;
struct SchemaTree;

// What becomes of a property that an object's schema does not name.
enum class Unnamed : std::uint8_t { drop, keep };

// A compiled JSON Schema (draft 7, references within the document), with the leniency of the
// response model that users of the `data` contract know: a number in a string passes for a number,
// a property that the schema does not name is dropped.
class JsonSchema {
 public:
  // `file` names the schema in errors.
  [[nodiscard]] static Result<std::shared_ptr<const JsonSchema>> parse(std::string_view json,
                                                                       std::string_view file);
  explicit JsonSchema(std::unique_ptr<const SchemaTree> tree);  // for parse()
  ~JsonSchema();
  JsonSchema(const JsonSchema&) = delete;
  JsonSchema& operator=(const JsonSchema&) = delete;

  // The document as the schema wants it, compact, numbers digit for digit as they were written;
  // or why it does not fit: "age: expected integer, got \"x\"". A property that `properties` does
  // not name is dropped, unless `additionalProperties` is stated as true or a schema; dropping goes
  // with the order of `properties`, keeping with that of the document, and there
  // `"additionalProperties": false` is an error as it says. Thread-safe.
  [[nodiscard]] Result<std::string> conform(std::string_view json,
                                            Unnamed unnamed = Unnamed::drop) const;
  // Whether the document fits to the letter of draft 7; else why not. Thread-safe.
  [[nodiscard]] Result<> validate(std::string_view json) const;

  // "integer", "number", "boolean", "string", ... of a top-level property, of several types the
  // first that is not null; "" when not named. For an array, of its elements with item_type_of().
  [[nodiscard]] std::string_view type_of(std::string_view property) const;
  [[nodiscard]] std::string_view item_type_of(std::string_view property) const;

  // What is asked about: a top-level property, or the elements of one that is an array.
  enum class Part : std::uint8_t { whole, element };
  // Whether it may be of more than one type besides null, or is named by value (`enum`, `const`)
  // rather than by type: then only a try tells what a text is to become.
  [[nodiscard]] bool is_choice(std::string_view property, Part part) const;
  // Whether the value fits it, to the letter. Thread-safe.
  [[nodiscard]] bool fits(std::string_view property, Part part, const JsonNode& value) const;

 private:
  [[nodiscard]] const Schema* find(std::string_view property, Part part) const;

  std::unique_ptr<const SchemaTree> tree_;
};

}  // namespace funcd::registry
