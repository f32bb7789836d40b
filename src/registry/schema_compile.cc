#include "registry/schema_compile.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <variant>

#include "registry/schema_reference.h"

namespace funcd::registry {
namespace {

constexpr std::size_t kSchemasMax = 10'000;
constexpr std::size_t kPropertiesScanned = 8;  // above, a hash table is faster

// Keywords that mean something else, or nothing, in draft 7: better refused than passed over.
constexpr std::array<std::string_view, 11> kLaterKeywords = {
    "prefixItems",      "unevaluatedItems", "unevaluatedProperties", "dependentRequired",
    "dependentSchemas", "minContains",      "maxContains",           "$anchor",
    "$dynamicRef",      "$dynamicAnchor",   "$recursiveRef"};

class Compiler {
 public:
  explicit Compiler(SchemaTree& tree) : tree_(tree) {}

  Result<> run() {
    tree_.root = TRY(schema_at(tree_.document.root()));
    // References are followed last, as they may lead to where compiling is under way.
    while (!references_.empty()) {
      const Pending pending = std::move(references_.back());
      references_.pop_back();
      place_ = pending.place;
      pending.from->reference = TRY(referred(pending));
      reference_places_.emplace(pending.from, pending.place);
    }
    if (const Schema* endless = find_endless_reference(tree_.schemas)) {
      return fail("{}: refers to itself without end", reference_places_.at(endless));
    }
    return {};
  }

 private:
  using SchemaMember = const Schema* Schema::*;
  using SchemasMember = Schema::Schemas Schema::*;
  using NumberMember = std::optional<Number> Schema::*;
  using CountMember = std::optional<std::uint64_t> Schema::*;
  using Reader = Result<> (Compiler::*)(Schema&, const JsonNode&);
  struct Keyword {
    std::string_view name;
    std::variant<SchemaMember, SchemasMember, NumberMember, CountMember, Reader> read;
  };
  struct Pending {
    Schema* from;
    std::string_view reference;
    std::string place;
  };
  static const std::vector<Keyword>& keywords();

  // Appends a step to the place that errors name, for as long as it lives.
  class Step {
   public:
    Step(std::string& place, std::string_view name) : place_(place), size_(place.size()) {
      place_ += '/';
      place_ += name;
    }
    ~Step() { place_.resize(size_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    std::string& place_;
    std::size_t size_;
  };

  template <class... Args>
  tl::unexpected<Error> fault(fmt::format_string<Args...> text, Args&&... args) const {
    return fail("{}: {}", place_.empty() ? "/" : place_,
                fmt::format(text, std::forward<Args>(args)...));
  }

  Result<const Schema*> schema_at(const JsonNode& node) {
    const auto [known, is_new] = compiled_.try_emplace(&node, nullptr);
    if (!is_new) return known->second;
    if (tree_.schemas.size() == kSchemasMax) return fault("more than {} schemas", kSchemasMax);
    Schema& schema = tree_.schemas.emplace_back();
    known->second = &schema;
    if (node.kind == JsonKind::boolean) {
      schema.verdict = node.boolean;
    } else if (node.kind == JsonKind::object) {
      TRY(read_keywords(schema, node));
    } else {
      return fault("a schema is an object or a boolean");
    }
    return &schema;
  }

  Result<> read_keywords(Schema& schema, const JsonNode& node) {
    const bool is_reference = node.find("$ref") != nullptr;
    std::size_t demands = 0;
    for (const JsonNode* key = node.begin(); key != node.end(); key = key->next_key()) {
      const std::string_view name = key->text();
      const bool is_definition = name == "definitions" || name == "$defs";
      // Draft 7 takes no notice of what stands beside a `$ref` (core 8.3).
      if (is_reference && !is_definition && name != "$ref") continue;
      const Step step(place_, name);
      if (std::find(kLaterKeywords.begin(), kLaterKeywords.end(), name) != kLaterKeywords.end()) {
        return fault("a keyword of a later draft; draft 7 is understood");
      }
      const auto keyword = std::find_if(keywords().begin(), keywords().end(),
                                        [&](const Keyword& each) { return each.name == name; });
      if (keyword == keywords().end()) continue;
      TRY(read_keyword(schema, *keyword, key->value()));
      if (!is_definition) ++demands;
    }
    finish(schema);
    schema.is_union = demands == 1 && (!schema.any_of.empty() || !schema.one_of.empty());
    return {};
  }

  Result<> read_keyword(Schema& schema, const Keyword& keyword, const JsonNode& value) {
    if (const auto* member = std::get_if<SchemaMember>(&keyword.read)) {
      schema.*(*member) = TRY(schema_at(value));
    } else if (const auto* list = std::get_if<SchemasMember>(&keyword.read)) {
      schema.*(*list) = TRY(schemas_at(value));
    } else if (const auto* number = std::get_if<NumberMember>(&keyword.read)) {
      if (value.kind != JsonKind::number) return fault("must be a number");
      schema.*(*number) = number_of(value.text());
    } else if (const auto* count = std::get_if<CountMember>(&keyword.read)) {
      schema.*(*count) = TRY(count_at(value));
    } else {
      TRY((this->*std::get<Reader>(keyword.read))(schema, value));
    }
    return {};
  }

  static void finish(Schema& schema) {
    for (std::string_view name : std::exchange(schema.required_others, {})) {
      if (const auto index = schema.find(name)) {
        schema.properties[*index].is_required = true;
      } else {
        schema.required_others.push_back(name);
      }
    }
    if (schema.properties.size() > kPropertiesScanned) {
      for (std::uint32_t i = 0; i < schema.properties.size(); ++i) {
        schema.property_index.emplace(schema.properties[i].name, i);
      }
    }
    const bool has_dependent_schema =
        std::any_of(schema.dependencies.begin(), schema.dependencies.end(),
                    [](const Schema::Dependency& each) { return each.schema != nullptr; });
    schema.is_composed |= !schema.all_of.empty() || !schema.any_of.empty() ||
                          !schema.one_of.empty() || schema.negated != nullptr ||
                          schema.condition != nullptr || has_dependent_schema;
  }

  Result<Schema::Schemas> schemas_at(const JsonNode& list) {
    if (list.kind != JsonKind::array || list.size == 0) return fault("must be a list of schemas");
    Schema::Schemas schemas;
    for (const JsonNode* each = list.begin(); each != list.end(); each = each->after()) {
      const Step step(place_, fmt::to_string(schemas.size()));
      schemas.push_back(TRY(schema_at(*each)));
    }
    return schemas;
  }

  Result<std::uint64_t> count_at(const JsonNode& node) {
    std::string digits;
    std::uint64_t count = 0;
    const bool is_whole =
        node.kind == JsonKind::number && append_integer_of_number(digits, node.text());
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (!is_whole || error != std::errc()) return fault("must be a whole number, not negative");
    return count;
  }

  Result<std::vector<std::string_view>> names_at(const JsonNode& list) {
    if (list.kind != JsonKind::array) return fault("must be a list of property names");
    std::vector<std::string_view> names;
    for (const JsonNode* each = list.begin(); each != list.end(); each = each->after()) {
      if (each->kind != JsonKind::string) return fault("must be a list of property names");
      names.push_back(each->text());
    }
    return names;
  }

  Result<> read_type(Schema& schema, const JsonNode& value) {
    const auto read_one = [&](const JsonNode& name) -> Result<> {
      if (name.kind != JsonKind::string) return fault("must be a type or a list of types");
      const std::optional<SchemaType> type = schema_type_of(name.text());
      if (!type) {
        return fault(
            "'{}' is no type; known are null, boolean, integer, number, string, array and object",
            name.text());
      }
      schema.types.push_back(*type);
      return {};
    };
    schema.types.clear();
    if (value.kind != JsonKind::array) return read_one(value);
    if (value.size == 0) return fault("must be a type or a list of types");
    for (const JsonNode* each = value.begin(); each != value.end(); each = each->after()) {
      TRY(read_one(*each));
    }
    return {};
  }

  Result<> read_enum(Schema& schema, const JsonNode& value) {
    if (value.kind != JsonKind::array || value.size == 0) return fault("must be a list of values");
    schema.values.emplace();
    for (const JsonNode* each = value.begin(); each != value.end(); each = each->after()) {
      schema.values->push_back(each);
    }
    return {};
  }

  Result<> read_const(Schema& schema, const JsonNode& value) {
    schema.constant = &value;
    return {};
  }

  Result<> read_multiple_of(Schema& schema, const JsonNode& value) {
    if (value.kind == JsonKind::number) schema.multiple_of = number_of(value.text());
    if (!schema.multiple_of || schema.multiple_of->approximate <= 0) {
      return fault("must be a number above 0");
    }
    return {};
  }

  Result<SchemaPattern> pattern_at(std::string_view expression) const {
    Result<SchemaPattern> pattern = SchemaPattern::compile(expression);
    if (!pattern) return fault("{}", pattern.error().message);
    return pattern;
  }

  Result<> read_pattern(Schema& schema, const JsonNode& value) {
    if (value.kind != JsonKind::string) return fault("must be a regular expression");
    schema.pattern = TRY(pattern_at(value.text()));
    return {};
  }

  Result<> read_items(Schema& schema, const JsonNode& value) {
    if (value.kind != JsonKind::array) {
      schema.items = TRY(schema_at(value));
      return {};
    }
    schema.items_by_position.emplace();
    if (value.size > 0) schema.items_by_position = TRY(schemas_at(value));
    return {};
  }

  Result<> read_unique_items(Schema& schema, const JsonNode& value) {
    if (value.kind != JsonKind::boolean) return fault("must be true or false");
    schema.has_unique_items = value.boolean;
    return {};
  }

  Result<> read_properties(Schema& schema, const JsonNode& value) {
    if (value.kind != JsonKind::object) return fault("must be an object of schemas");
    schema.has_properties = true;
    for (const JsonNode* key = value.begin(); key != value.end(); key = key->next_key()) {
      // Of equal keys the last one counts.
      if (value.find(key->text()) != key + 1) continue;
      const Step step(place_, key->text());
      const Schema* property = TRY(schema_at(key->value()));
      schema.properties.push_back({key->text(), property});
    }
    return {};
  }

  Result<> read_pattern_properties(Schema& schema, const JsonNode& value) {
    if (value.kind != JsonKind::object) return fault("must be an object of schemas");
    for (const JsonNode* key = value.begin(); key != value.end(); key = key->next_key()) {
      const Step step(place_, key->text());
      SchemaPattern pattern = TRY(pattern_at(key->text()));
      const Schema* property = TRY(schema_at(key->value()));
      schema.pattern_properties.push_back({std::move(pattern), property});
    }
    return {};
  }

  Result<> read_required(Schema& schema, const JsonNode& value) {
    schema.required_others = TRY(names_at(value));
    return {};
  }

  Result<> read_dependencies(Schema& schema, const JsonNode& value) {
    if (value.kind != JsonKind::object) return fault("must be an object");
    for (const JsonNode* key = value.begin(); key != value.end(); key = key->next_key()) {
      const Step step(place_, key->text());
      Schema::Dependency dependency{.property = key->text(), .required = {}};
      if (key->value().kind == JsonKind::array) {
        dependency.required = TRY(names_at(key->value()));
      } else {
        dependency.schema = TRY(schema_at(key->value()));
      }
      schema.dependencies.push_back(std::move(dependency));
    }
    return {};
  }

  // Compiled though nothing may refer to them, so that their faults are told.
  Result<> read_definitions(Schema&, const JsonNode& value) {
    if (value.kind != JsonKind::object) return fault("must be an object of schemas");
    for (const JsonNode* key = value.begin(); key != value.end(); key = key->next_key()) {
      const Step step(place_, key->text());
      TRY(schema_at(key->value()));
    }
    return {};
  }

  Result<> read_reference(Schema& schema, const JsonNode& value) {
    if (value.kind != JsonKind::string) return fault("must be a reference");
    schema.is_composed = true;
    references_.push_back({&schema, value.text(), place_});
    return {};
  }

  Result<const Schema*> referred(const Pending& pending) {
    const JsonNode* node = find_reference(tree_.document.root(), pending.reference);
    if (node == nullptr) {
      return fault("'{}' is not in this document; references to others are not followed",
                   pending.reference);
    }
    return schema_at(*node);
  }

  SchemaTree& tree_;
  std::string place_;
  std::unordered_map<const JsonNode*, const Schema*> compiled_;
  std::vector<Pending> references_;
  std::unordered_map<const Schema*, std::string> reference_places_;
};

const std::vector<Compiler::Keyword>& Compiler::keywords() {
  static const std::vector<Keyword> kKeywords = {
      {"$ref", &Compiler::read_reference},
      {"$defs", &Compiler::read_definitions},
      {"definitions", &Compiler::read_definitions},
      {"type", &Compiler::read_type},
      {"enum", &Compiler::read_enum},
      {"const", &Compiler::read_const},
      {"multipleOf", &Compiler::read_multiple_of},
      {"minimum", &Schema::minimum},
      {"maximum", &Schema::maximum},
      {"exclusiveMinimum", &Schema::exclusive_minimum},
      {"exclusiveMaximum", &Schema::exclusive_maximum},
      {"minLength", &Schema::length_min},
      {"maxLength", &Schema::length_max},
      {"pattern", &Compiler::read_pattern},
      {"items", &Compiler::read_items},
      {"additionalItems", &Schema::additional_items},
      {"contains", &Schema::contains},
      {"minItems", &Schema::items_min},
      {"maxItems", &Schema::items_max},
      {"uniqueItems", &Compiler::read_unique_items},
      {"properties", &Compiler::read_properties},
      {"required", &Compiler::read_required},
      {"patternProperties", &Compiler::read_pattern_properties},
      {"additionalProperties", &Schema::additional_properties},
      {"propertyNames", &Schema::property_names},
      {"dependencies", &Compiler::read_dependencies},
      {"minProperties", &Schema::properties_min},
      {"maxProperties", &Schema::properties_max},
      {"allOf", &Schema::all_of},
      {"anyOf", &Schema::any_of},
      {"oneOf", &Schema::one_of},
      {"not", &Schema::negated},
      {"if", &Schema::condition},
      {"then", &Schema::consequence},
      {"else", &Schema::alternative},
  };
  return kKeywords;
}

}  // namespace

Result<std::unique_ptr<const SchemaTree>> compile_schema(std::string_view json) {
  auto tree = std::make_unique<SchemaTree>();
  tree->text = json;
  TRY(tree->document.parse(tree->text));
  Compiler compiler(*tree);
  TRY(compiler.run());
  return tree;
}

}  // namespace funcd::registry
