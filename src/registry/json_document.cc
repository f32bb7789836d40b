#include "registry/json_document.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>
#include <limits>

#include "base/check.h"
#include "registry/json_surrogate.h"

namespace funcd::registry {
namespace {

namespace json = boost::json;

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kNodesKept = 16'384;
constexpr std::size_t kBytesKept = 256 * 1024;

// Accepts what is JSON and keeps nothing.
struct Acceptor {
  static constexpr std::size_t max_object_size = kUnlimited;
  static constexpr std::size_t max_array_size = kUnlimited;
  static constexpr std::size_t max_key_size = kUnlimited;
  static constexpr std::size_t max_string_size = kUnlimited;
  using Code = json::error_code;
  using Text = json::string_view;

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) { return true; }
  bool on_object_end(std::size_t, Code&) { return true; }
  bool on_array_begin(Code&) { return true; }
  bool on_array_end(std::size_t, Code&) { return true; }
  bool on_key_part(Text, std::size_t, Code&) { return true; }
  bool on_key(Text, std::size_t, Code&) { return true; }
  bool on_string_part(Text, std::size_t, Code&) { return true; }
  bool on_string(Text, std::size_t, Code&) { return true; }
  bool on_number_part(Text, Code&) { return true; }
  bool on_int64(std::int64_t, Text, Code&) { return true; }
  bool on_uint64(std::uint64_t, Text, Code&) { return true; }
  bool on_double(double, Text, Code&) { return true; }
  bool on_bool(bool, Code&) { return true; }
  bool on_null(Code&) { return true; }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }
};

json::parse_options parser_options() {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  return options;
}

bool is_accepted(std::string_view text) {
  thread_local json::basic_parser<Acceptor> parser(parser_options());
  parser.reset();
  json::error_code code;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), code);
  return !code && used == text.size();
}

}  // namespace

// Makes nodes of what the parser sees.
struct JsonBuilder {
  static constexpr std::size_t max_object_size = kUnlimited;
  static constexpr std::size_t max_array_size = kUnlimited;
  static constexpr std::size_t max_key_size = kUnlimited;
  static constexpr std::size_t max_string_size = kUnlimited;
  using Code = json::error_code;
  using Text = json::string_view;

  JsonDocument* document = nullptr;
  std::string_view source;
  std::size_t pending = 0;  // bytes at the end of decoded_ that belong to an unfinished token

  void start(JsonDocument& into, std::string_view text) {
    document = &into;
    source = text;
    pending = 0;
    into.nodes_.clear();
    into.open_.clear();
    into.decoded_.clear();
  }
  bool add(JsonNode node, Code& code) {
    auto& nodes = document->nodes_;
    if (nodes.size() == kJsonNodesMax) {
      code = json::error::object_too_large;
      return false;
    }
    nodes.push_back(node);
    return true;
  }
  bool add_container(JsonKind kind, Code& code) {
    document->open_.push_back(static_cast<std::uint32_t>(document->nodes_.size()));
    return add({.kind = kind}, code);
  }
  bool close(std::size_t count) {
    auto& nodes = document->nodes_;
    JsonNode& node = nodes[document->open_.back()];
    node.size = static_cast<std::uint32_t>(count);
    node.span = static_cast<std::uint32_t>(nodes.size()) - document->open_.back();
    document->open_.pop_back();
    return true;
  }
  bool keep(Text part) {
    std::string& decoded = document->decoded_;
    // A decoded text is never longer than its source, so this is the only allocation.
    if (decoded.capacity() < source.size()) {
      CHECK(decoded.empty());
      decoded.reserve(source.size());
    }
    CHECK(decoded.size() + part.size() <= decoded.capacity());
    decoded.append(part.data(), part.size());
    pending += part.size();
    return true;
  }
  bool finish(JsonKind kind, Text last, Code& code) {
    const std::less_equal<> is_before;
    const bool is_in_source = is_before(source.data(), last.data()) &&
                              is_before(last.data() + last.size(), source.data() + source.size());
    if (pending == 0 && is_in_source) {
      return add({.data = last.data(),
                  .size = static_cast<std::uint32_t>(last.size()),
                  .kind = kind,
                  .is_plain = true},
                 code);
    }
    keep(last);
    const std::string& decoded = document->decoded_;
    const std::size_t size = std::exchange(pending, 0);
    return add({.data = decoded.data() + decoded.size() - size,
                .size = static_cast<std::uint32_t>(size),
                .kind = kind},
               code);
  }

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code& code) { return add_container(JsonKind::object, code); }
  bool on_object_end(std::size_t count, Code&) { return close(count); }
  bool on_array_begin(Code& code) { return add_container(JsonKind::array, code); }
  bool on_array_end(std::size_t count, Code&) { return close(count); }
  bool on_key_part(Text part, std::size_t, Code&) { return keep(part); }
  bool on_key(Text last, std::size_t, Code& code) { return finish(JsonKind::string, last, code); }
  bool on_string_part(Text part, std::size_t, Code&) { return keep(part); }
  bool on_string(Text last, std::size_t, Code& code) {
    return finish(JsonKind::string, last, code);
  }
  bool on_number_part(Text part, Code&) { return keep(part); }
  bool on_int64(std::int64_t, Text last, Code& code) {
    return finish(JsonKind::number, last, code);
  }
  bool on_uint64(std::uint64_t, Text last, Code& code) {
    return finish(JsonKind::number, last, code);
  }
  bool on_double(double, Text last, Code& code) { return finish(JsonKind::number, last, code); }
  bool on_bool(bool value, Code& code) {
    return add({.kind = JsonKind::boolean, .boolean = value}, code);
  }
  bool on_null(Code& code) { return add({.kind = JsonKind::null}, code); }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }
};

Result<> JsonDocument::parse(std::string_view text) {
  has_lone_surrogates_ = false;
  Result<> built = build(text);
  if (built) return built;
  std::optional<std::string> marked = mark_lone_surrogates(text);
  if (!marked) return built;
  marked_ = std::move(*marked);
  has_lone_surrogates_ = true;
  return build(marked_);
}

Result<> JsonDocument::build(std::string_view text) {
  thread_local json::basic_parser<JsonBuilder> parser(parser_options());
  if (text.size() >= std::numeric_limits<std::uint32_t>::max()) return fail("too long for JSON");
  parser.reset();
  parser.handler().start(*this, text);
  json::error_code code;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), code);
  if (nodes_.size() == kJsonNodesMax) {
    return fail("JSON with more than {} values is not taken apart", kJsonNodesMax);
  }
  if (code) return fail("not JSON at byte {}: {}", used, code.message());
  if (used != text.size()) return fail("not JSON at byte {}: text after the value", used);
  return {};
}

void JsonDocument::shrink() {
  if (nodes_.capacity() > kNodesKept) std::vector<JsonNode>().swap(nodes_);
  if (decoded_.capacity() > kBytesKept) std::string().swap(decoded_);
  if (marked_.capacity() > kBytesKept) std::string().swap(marked_);
}

const JsonNode* JsonNode::find(std::string_view key) const {
  const JsonNode* found = nullptr;
  if (kind != JsonKind::object) return found;
  for (const JsonNode* member = begin(); member != end(); member = member->next_key()) {
    if (member->text() == key) found = member + 1;
  }
  return found;
}

bool is_json(std::string_view text) {
  if (is_accepted(text)) return true;
  const std::optional<std::string> marked = mark_lone_surrogates(text);
  return marked && is_accepted(*marked);
}

}  // namespace funcd::registry
