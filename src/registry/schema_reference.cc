#include "registry/schema_reference.h"

#include <charconv>
#include <unordered_set>

#include "http/percent.h"

namespace funcd::registry {
namespace {

// One step of a pointer in a URI fragment: percent-decoded, then ~1 and ~0.
std::string unescaped(std::string_view step) {
  const std::string bytes = http::percent_decode(step).value_or(std::string(step));
  std::string name;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '~' && i + 1 < bytes.size() && (bytes[i + 1] == '0' || bytes[i + 1] == '1')) {
      name += bytes[++i] == '0' ? '~' : '/';
    } else {
      name += bytes[i];
    }
  }
  return name;
}

const JsonNode* element_of(const JsonNode& array, std::string_view index_text) {
  std::uint32_t index = 0;
  const char* end = index_text.data() + index_text.size();
  const auto [stop, error] = std::from_chars(index_text.data(), end, index);
  if (error != std::errc() || stop != end || index >= array.size) return nullptr;
  const JsonNode* element = array.begin();
  while (index-- > 0) element = element->after();
  return element;
}

const JsonNode* follow(const JsonNode* node, std::string_view pointer) {
  while (node != nullptr && !pointer.empty()) {
    if (pointer[0] != '/') return nullptr;
    pointer.remove_prefix(1);
    const std::string step = unescaped(pointer.substr(0, pointer.find('/')));
    pointer.remove_prefix(std::min(pointer.find('/'), pointer.size()));
    node = node->kind == JsonKind::array ? element_of(*node, step) : node->find(step);
  }
  return node;
}

const JsonNode* find_id(const JsonNode& node, std::string_view id) {
  if (node.kind == JsonKind::object) {
    const JsonNode* own = node.find("$id");
    if (own != nullptr && own->kind == JsonKind::string && own->text() == id) return &node;
    for (const JsonNode* key = node.begin(); key != node.end(); key = key->next_key()) {
      if (key->text() == "enum" || key->text() == "const") continue;
      if (const JsonNode* found = find_id(key->value(), id)) return found;
    }
  } else if (node.kind == JsonKind::array) {
    for (const JsonNode* each = node.begin(); each != node.end(); each = each->after()) {
      if (const JsonNode* found = find_id(*each, id)) return found;
    }
  }
  return nullptr;
}

// Walks from schema to schema for the same value; a schema met again on the way is a loop.
class LoopSearch {
 public:
  const Schema* search(const Schema* schema) {
    if (schema == nullptr || done_.contains(schema)) return nullptr;
    if (!open_.insert(schema).second) return schema;
    const Schema* found = search_all(*schema);
    open_.erase(schema);
    done_.insert(schema);
    // The loop closes through a reference, since all else is a tree.
    const bool is_named = found == nullptr || found->reference != nullptr;
    return is_named || schema->reference == nullptr ? found : schema;
  }

 private:
  const Schema* search_all(const Schema& schema) {
    for (const Schema* each : {schema.reference, schema.negated, schema.condition,
                               schema.consequence, schema.alternative}) {
      if (const Schema* found = search(each)) return found;
    }
    for (const auto* list : {&schema.all_of, &schema.any_of, &schema.one_of}) {
      for (const Schema* each : *list) {
        if (const Schema* found = search(each)) return found;
      }
    }
    for (const Schema::Dependency& each : schema.dependencies) {
      if (const Schema* found = search(each.schema)) return found;
    }
    return nullptr;
  }

  std::unordered_set<const Schema*> open_;
  std::unordered_set<const Schema*> done_;
};

}  // namespace

const JsonNode* find_reference(const JsonNode& root, std::string_view reference) {
  if (reference == "#") return &root;
  if (reference.starts_with("#/")) return follow(&root, reference.substr(1));
  const JsonNode* named = find_id(root, reference);
  if (named != nullptr) return named;
  // "item.json#/definitions/name", where item.json is an `$id`.
  const std::size_t hash = reference.find('#');
  if (hash == reference.npos || hash == 0) return nullptr;
  return follow(find_id(root, reference.substr(0, hash)), reference.substr(hash + 1));
}

const Schema* find_endless_reference(const std::deque<Schema>& schemas) {
  LoopSearch loops;
  for (const Schema& each : schemas) {
    if (const Schema* found = loops.search(&each)) return found;
  }
  return nullptr;
}

}  // namespace funcd::registry
