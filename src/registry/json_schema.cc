#include "registry/json_schema.h"

#include <algorithm>

#include "registry/json_document.h"
#include "registry/json_surrogate.h"
#include "registry/schema_check.h"
#include "registry/schema_compile.h"
#include "registry/schema_conform.h"

namespace funcd::registry {
namespace {

constexpr std::string_view kTooMuchWork = "takes too much work to check against its schema";

bool is_null(const Schema* schema) {
  return schema->types == std::vector{SchemaType::null};
}

// Follows references, and takes the first alternative that is not null.
const Schema* with_type(const Schema* schema) {
  while (schema != nullptr && schema->types.empty()) {
    const Schema* next = schema->reference;
    for (const auto* list : {&schema->all_of, &schema->any_of, &schema->one_of}) {
      for (const Schema* each : *list) {
        if (next == nullptr && !is_null(each)) next = each;
      }
    }
    schema = next;
  }
  return schema;
}

std::string_view type_name_of(const Schema* schema) {
  schema = with_type(schema);
  if (schema == nullptr) return "";
  for (SchemaType type : schema->types) {
    if (type != SchemaType::null) return name_of(type);
  }
  return name_of(SchemaType::null);
}

// The schema of a property of the document itself, also of those that it is composed of.
const Schema* property_of(const Schema* schema, std::string_view property) {
  while (schema->reference != nullptr) schema = schema->reference;
  if (const auto index = schema->find(property)) return schema->properties[*index].schema;
  for (const auto* list : {&schema->all_of, &schema->any_of, &schema->one_of}) {
    for (const Schema* each : *list) {
      if (const Schema* found = property_of(each, property)) return found;
    }
  }
  return nullptr;
}

bool leaves_choice(const Schema* schema) {
  while (schema->reference != nullptr) schema = schema->reference;
  const auto types = schema->types.size() - std::ranges::count(schema->types, SchemaType::null);
  if (types > 0) return types > 1;
  if (schema->constant != nullptr || schema->values) return true;
  for (const auto* list : {&schema->any_of, &schema->one_of}) {
    const auto nulls = static_cast<std::size_t>(std::ranges::count_if(*list, is_null));
    if (list->size() > nulls + 1) return true;
    const auto only = std::ranges::find_if_not(*list, is_null);
    if (only != list->end() && leaves_choice(*only)) return true;
  }
  return std::ranges::any_of(schema->all_of, leaves_choice);
}

// A document for each thread: a call that is over leaves its memory to the next one, within bounds.
class ScratchDocument {
 public:
  ScratchDocument() = default;
  ~ScratchDocument() { document().shrink(); }
  ScratchDocument(const ScratchDocument&) = delete;
  ScratchDocument& operator=(const ScratchDocument&) = delete;

  JsonDocument* operator->() const { return &document(); }

 private:
  static JsonDocument& document() {
    thread_local JsonDocument kept;
    return kept;
  }
};

}  // namespace

JsonSchema::JsonSchema(std::unique_ptr<const SchemaTree> tree) : tree_(std::move(tree)) {}
JsonSchema::~JsonSchema() = default;

Result<std::shared_ptr<const JsonSchema>> JsonSchema::parse(std::string_view json,
                                                            std::string_view file) {
  Result<std::unique_ptr<const SchemaTree>> tree = compile_schema(json);
  if (!tree) return fail("{}: {}", file, tree.error().message);
  return std::make_shared<const JsonSchema>(std::move(*tree));
}

Result<std::string> JsonSchema::conform(std::string_view json, Unnamed unnamed) const {
  const ScratchDocument document;
  TRY(document->parse(json));
  std::string out;
  out.reserve(json.size());
  Misfit misfit;
  SchemaConform conforming(document->root(), unnamed, out);
  const bool is_fit = conforming.write(*tree_->root, document->root(), &misfit);
  if (conforming.is_exhausted()) return fail("{}", kTooMuchWork);
  if (!is_fit) return fail(Error{misfit.text()});
  const bool is_text = !document->has_lone_surrogates() || out.find(kSurrogateMark) == out.npos;
  if (!is_text) return fail("a string holds half of a surrogate pair, which is no text");
  return out;
}

Result<> JsonSchema::validate(std::string_view json) const {
  const ScratchDocument document;
  TRY(document->parse(json));
  Misfit misfit;
  SchemaCheck check(document->root());
  const bool is_fit = check.fits(*tree_->root, document->root(), &misfit);
  if (check.is_exhausted()) return fail("{}", kTooMuchWork);
  if (!is_fit) return fail(Error{misfit.text()});
  return {};
}

std::string_view JsonSchema::type_of(std::string_view property) const {
  return type_name_of(property_of(tree_->root, property));
}

std::string_view JsonSchema::item_type_of(std::string_view property) const {
  return type_name_of(find(property, Part::element));
}

bool JsonSchema::is_choice(std::string_view property, Part part) const {
  const Schema* schema = find(property, part);
  return schema != nullptr && leaves_choice(schema);
}

bool JsonSchema::fits(std::string_view property, Part part, const JsonNode& value) const {
  const Schema* schema = find(property, part);
  return schema == nullptr || SchemaCheck(value).fits(*schema, value, nullptr);
}

// Null for any.
const Schema* JsonSchema::find(std::string_view property, Part part) const {
  const Schema* whole = property_of(tree_->root, property);
  if (part == Part::whole) return whole;
  const Schema* array = with_type(whole);
  return array == nullptr ? nullptr : array->items;
}

}  // namespace funcd::registry
