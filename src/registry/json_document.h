#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace funcd::registry {

enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object };

// One value of a JsonDocument. A value's node is followed by the nodes of all that is in it: an
// array by its elements, an object by a string node (the key) and a value for each member.
struct JsonNode {
  const char* data = nullptr;  // of text()
  std::uint32_t size = 0;      // of text(); of a container: how many elements or members
  std::uint32_t span = 1;      // nodes of this value, itself included
  JsonKind kind = JsonKind::null;
  bool boolean = false;  // of a boolean
  // A string that was written without escapes, and needs none: text() is within the document's.
  bool is_plain = false;

  // A number as it was written; a string decoded, UTF-8.
  [[nodiscard]] std::string_view text() const { return {data, size}; }
  // Of a container: from its first element or key to where what follows it begins. after() leads
  // from element to element, next_key() from key to key.
  [[nodiscard]] const JsonNode* begin() const { return this + 1; }
  [[nodiscard]] const JsonNode* end() const { return this + span; }
  [[nodiscard]] const JsonNode* after() const { return this + span; }
  // Of a key.
  [[nodiscard]] const JsonNode& value() const { return this[1]; }
  [[nodiscard]] const JsonNode* next_key() const { return value().after(); }
  // The value of an object's member, or null. Of equal keys the last one counts.
  [[nodiscard]] const JsonNode* find(std::string_view key) const;
};

// Bounds of a document. Beyond them it is refused, whatever else it is.
inline constexpr std::size_t kJsonDepthMax = 512;
inline constexpr std::size_t kJsonNodesMax = 8'000'000;

// A JSON text (RFC 8259) taken apart: order and equal keys kept, numbers as they were written. One
// thread at a time; may be used again, which saves allocations.
class JsonDocument {
 public:
  // Strings and numbers are views of `text`, which outlives the document. White space around the
  // value is no error; an error says at which byte: "not JSON at byte 12: syntax error".
  [[nodiscard]] Result<> parse(std::string_view text);
  // Of the last parse() that was good.
  [[nodiscard]] const JsonNode& root() const { return nodes_.front(); }
  // A string of it holds half of a surrogate pair, which is no text: kSurrogateMark stands there.
  [[nodiscard]] bool has_lone_surrogates() const { return has_lone_surrogates_; }
  // Gives back what a large document has left behind.
  void shrink();

 private:
  friend struct JsonBuilder;
  [[nodiscard]] Result<> build(std::string_view text);

  std::vector<JsonNode> nodes_;
  std::vector<std::uint32_t> open_;  // containers that are not closed yet
  std::string decoded_;              // strings with escapes; reserved once, so that views stay good
  std::string marked_;               // the text, where it has lone surrogates
  bool has_lone_surrogates_ = false;
};

// Whether `text` is one JSON value, within kJsonDepthMax. Thread-safe.
[[nodiscard]] bool is_json(std::string_view text);

// Appends the value without white space. Strings are escaped only where JSON demands it.
void append_json(std::string& out, const JsonNode& node);
// Appends "text" in quotes and escaped. `text` is UTF-8.
void append_json_string(std::string& out, std::string_view text);

// `text` without the white space of JSON at its ends.
[[nodiscard]] std::string_view trim_json_space(std::string_view text);

}  // namespace funcd::registry
