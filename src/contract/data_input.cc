#include "contract/data_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <unordered_map>

#include "base/utf8.h"
#include "contract/input_value.h"
#include "contract/media_type.h"
#include "contract/query.h"
#include "registry/json_document.h"

namespace funcd::contract {
namespace {

using registry::append_json;
using registry::append_json_string;
using registry::JsonKind;
using registry::JsonNode;
using Part = registry::JsonSchema::Part;

constexpr std::size_t kEntriesScanned = 16;  // above, a hash table is faster
constexpr std::size_t kShownBytesMax = 60;   // of a text that a message quotes

Failure bad_request(std::string detail) {
  return {Reason::bad_request, std::move(detail)};
}
Failure bad_input(std::string detail) {
  return {Reason::bad_input, std::move(detail)};
}

// Where an entry's value comes from; a later source replaces what an earlier one said.
enum class Source : std::uint8_t { defaults, query, path, form, json };

struct Entry {
  std::string key;
  std::string json;               // the value so far
  std::string_view default_json;  // of the manifest, or empty
  Source source = Source::defaults;
  std::size_t count = 0;  // values of that source
};

class DataBuilder {
 public:
  explicit DataBuilder(const Call& call)
      : manifest_(call.revision.manifest), schema_(call.revision.request_schema.get()) {
    for (const auto& [key, json] : manifest_.input) {
      Entry& entry = add(key);
      entry.json = json;
      entry.default_json = json;
    }
  }

  [[nodiscard]] std::optional<Failure> add_pairs(std::string_view text, Source source) {
    const std::string_view where = source == Source::query ? "query" : "form";
    QueryReader reader(text);
    std::size_t count = 0;
    while (const auto pair = reader.next()) {
      if (++count > kPairsMax) {
        return bad_request(fmt::format("the {} has more than {} keys", where, kPairsMax));
      }
      if (auto failure = set(pair->key, pair->value, source)) return failure;
    }
    if (!reader.is_broken()) return std::nullopt;
    return bad_request(fmt::format("the {} does not decode to UTF-8 text", where));
  }

  [[nodiscard]] std::optional<Failure> set(std::string_view key, std::string_view value,
                                           Source source) {
    Entry* entry = find(key);
    if (entry == nullptr) entry = &add(key);
    if (entry->source != source) {
      entry->source = source;
      entry->count = 0;
      entry->json.clear();
    }
    return append_value(*entry, value);
  }

  void merge(const JsonNode& object) {
    for (const JsonNode* key = object.begin(); key != object.end(); key = key->next_key()) {
      if (Entry* entry = find(key->text())) {
        entry->json.clear();
        append_json(entry->json, key->value());
        continue;
      }
      if (!tail_.empty()) tail_ += ',';
      append_json(tail_, *key);
      tail_ += ':';
      append_json(tail_, key->value());
    }
  }

  void write(std::string& out) const {
    out += '{';
    bool is_first = true;
    for (const Entry& entry : entries_) {
      if (!is_first) out += ',';
      is_first = false;
      append_json_string(out, entry.key);
      out += ':';
      out += entry.json;
    }
    if (!is_first && !tail_.empty()) out += ',';
    out += tail_;
    out += '}';
  }

 private:
  Entry& add(std::string_view key) {
    Entry& entry = entries_.emplace_back();
    entry.key = key;
    if (!index_.empty()) index_.emplace(entry.key, entries_.size() - 1);
    return entry;
  }

  Entry* find(std::string_view key) {
    if (entries_.size() <= kEntriesScanned) {
      for (Entry& entry : entries_) {
        if (entry.key == key) return &entry;
      }
      return nullptr;
    }
    if (index_.empty()) {
      for (std::size_t i = 0; i < entries_.size(); ++i) index_.emplace(entries_[i].key, i);
    }
    const auto found = index_.find(std::string(key));
    return found == index_.end() ? nullptr : &entries_[found->second];
  }

  std::optional<Failure> append_value(Entry& entry, std::string_view value) {
    const InputType type = input_type_of(entry.key, entry.default_json, schema_);
    const bool is_array = type.kind == InputKind::array;
    const InputKind kind = is_array ? type.element : type.kind;
    std::string& json = entry.json;
    if (is_array && entry.count == 0) json = "[]";
    if (!is_array && entry.count == 1) json = "[" + json + "]";
    const bool is_list = is_array || entry.count > 0;
    if (is_list) json.pop_back();
    if (entry.count > 0) json += ',';
    if (type.is_choice) {
      append_choice(json, *schema_, entry.key, is_array ? Part::element : Part::whole, value);
    } else if (!append_typed(json, kind, value)) {
      return bad_input(fmt::format("{}: expected {}, got '{}'",
                                   cut_short(entry.key, kShownBytesMax), name_of(kind),
                                   cut_short(value, kShownBytesMax)));
    }
    if (is_list) json += ']';
    ++entry.count;
    return std::nullopt;
  }

  const registry::Manifest& manifest_;
  const registry::JsonSchema* schema_;
  boost::container::small_vector<Entry, 6> entries_;
  std::unordered_map<std::string, std::size_t> index_;  // of entries_, when there are many
  std::string tail_;  // members of a JSON body that are no entries
};

// No request can change it, so it is written straight.
void append_defaults(const registry::Manifest& manifest, std::string& out) {
  out += '{';
  for (const auto& [key, json] : manifest.input) {
    if (out.back() != '{') out += ',';
    append_json_string(out, key);
    out += ':';
    out += json;
  }
  out += '}';
}

MediaType body_type_of(const Call& call) {
  if (call.body.empty()) return MediaType::other;
  return media_type_of(call.head.field("content-type").value_or(""));
}

std::optional<Failure> add_path(const Call& call, DataBuilder& builder) {
  for (const registry::PathParam& param : call.params) {
    if (!is_utf8(param.value)) {
      return bad_request(fmt::format("the path's '{}' is no UTF-8", param.name));
    }
    if (auto failure = builder.set(param.name, param.value, Source::path)) return failure;
  }
  return std::nullopt;
}

std::optional<Failure> build(const Call& call, std::string& out) {
  const MediaType body_type = body_type_of(call);
  if (call.head.query.empty() && call.params.empty() && body_type == MediaType::other) {
    append_defaults(call.revision.manifest, out);
    return std::nullopt;
  }
  registry::JsonDocument document;
  if (body_type == MediaType::json) {
    const Result<> parsed = document.parse(call.body);
    if (!parsed) return bad_request("the body is " + parsed.error().message);
    if (document.has_lone_surrogates()) {
      return bad_request("the body holds half of a surrogate pair, which is no text");
    }
  }
  DataBuilder builder(call);
  if (auto failure = builder.add_pairs(call.head.query, Source::query)) return failure;
  if (auto failure = add_path(call, builder)) return failure;
  if (body_type == MediaType::form) {
    if (auto failure = builder.add_pairs(call.body, Source::form)) return failure;
  }
  if (body_type == MediaType::json && document.root().kind != JsonKind::object) {
    append_json(out, document.root());
    return std::nullopt;
  }
  if (body_type == MediaType::json) builder.merge(document.root());
  builder.write(out);
  return std::nullopt;
}

}  // namespace

std::optional<Failure> append_data(const Call& call, std::string& out) {
  const std::size_t start = out.size();
  if (auto failure = build(call, out)) return failure;
  const registry::JsonSchema* schema = call.revision.request_schema.get();
  if (schema == nullptr) return std::nullopt;
  Result<std::string> fitting =
      schema->conform(std::string_view(out).substr(start), registry::Unnamed::keep);
  if (!fitting) return bad_input(std::move(fitting.error().message));
  out.replace(start, out.npos, *fitting);
  return std::nullopt;
}

}  // namespace funcd::contract
