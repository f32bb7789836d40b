#include "registry/schema_conform.h"

#include <fmt/format.h>

#include <algorithm>

namespace funcd::registry {
namespace {

bool miss(Misfit* misfit, std::string message) {
  if (misfit != nullptr) *misfit = {"", std::move(message)};
  return false;
}

// The first part that asks for a type, or null.
const Schema* typed_of(std::span<const Schema* const> parts) {
  const auto found = std::find_if(parts.begin(), parts.end(),
                                  [](const Schema* each) { return !each->types.empty(); });
  return found == parts.end() ? nullptr : *found;
}

bool append_as_integer(std::string& out, const JsonNode& node) {
  switch (node.kind) {
    case JsonKind::number:
      return append_integer_of_number(out, node.text());
    case JsonKind::string:
      return append_integer_of_text(out, node.text());
    case JsonKind::boolean:
      out += node.boolean ? "1" : "0";
      return true;
    default:
      return false;
  }
}

bool append_as_number(std::string& out, const JsonNode& node) {
  switch (node.kind) {
    case JsonKind::number:
      out += node.text();
      return true;
    case JsonKind::string:
      return append_number_of_text(out, node.text());
    case JsonKind::boolean:
      out += node.boolean ? "1.0" : "0.0";
      return true;
    default:
      return false;
  }
}

std::optional<bool> as_boolean(const JsonNode& node) {
  if (node.kind == JsonKind::string) return boolean_of_text(node.text());
  if (node.kind != JsonKind::number) return std::nullopt;
  const Number number = number_of(node.text());
  if (number.approximate == 0) return false;
  return number.approximate == 1 ? std::optional(true) : std::nullopt;
}

// Appends the value as that type has it and returns its node, a view of `out`.
std::optional<JsonNode> append_as(std::string& out, SchemaType type, const JsonNode& node) {
  const std::size_t start = out.size();
  if (type == SchemaType::boolean) {
    const std::optional<bool> value = as_boolean(node);
    if (!value) return std::nullopt;
    out += *value ? "true" : "false";
    return JsonNode{.kind = JsonKind::boolean, .boolean = *value};
  }
  const bool is_done = type == SchemaType::integer  ? append_as_integer(out, node)
                       : type == SchemaType::number ? append_as_number(out, node)
                                                    : false;
  if (!is_done) return std::nullopt;
  return JsonNode{.data = out.data() + start,
                  .size = static_cast<std::uint32_t>(out.size() - start),
                  .kind = JsonKind::number};
}

}  // namespace

bool SchemaConform::write(const Schema& schema, const JsonNode& node, Misfit* misfit) {
  const Schema* target = &schema;
  while (target->reference != nullptr) target = target->reference;
  if (target->is_composed && !target->is_union) return write_all({target}, node, misfit);
  if (!check_.spend() || depth_ == SchemaCheck::kDepthMax) {
    check_.exhaust();
    return miss(misfit, "too much work to check");
  }
  ++depth_;
  const bool is_done = target->is_union ? write_union(*target, node, misfit)
                                        : write_parts({&target, 1}, node, misfit);
  --depth_;
  return is_done;
}

bool SchemaConform::write_all(const Schemas& schemas, const JsonNode& node, Misfit* misfit) {
  if (schemas.empty()) {
    append_json(out_, node);
    return true;
  }
  const bool is_plain = schemas.size() == 1 && (!schemas[0]->is_composed || schemas[0]->is_union ||
                                                schemas[0]->reference != nullptr);
  if (is_plain) return write(*schemas[0], node, misfit);
  if (depth_ == SchemaCheck::kDepthMax) check_.exhaust();
  ++depth_;
  Schemas parts;
  bool is_done = std::all_of(schemas.begin(), schemas.end(),
                             [&](const Schema* each) { return expand(*each, parts); });
  if (!is_done) miss(misfit, "too much work to check");
  // Choices add parts, which may choose in their turn.
  for (std::size_t i = 0; is_done && i < parts.size(); ++i) {
    is_done = !parts[i]->is_composed || choose(*parts[i], node, parts, misfit);
  }
  is_done = is_done && write_parts({parts.data(), parts.size()}, node, misfit);
  --depth_;
  return is_done;
}

bool SchemaConform::expand(const Schema& schema, Schemas& parts) {
  if (!check_.spend()) return false;
  if (schema.reference != nullptr) return expand(*schema.reference, parts);
  parts.push_back(&schema);
  return std::all_of(schema.all_of.begin(), schema.all_of.end(),
                     [&](const Schema* each) { return expand(*each, parts); });
}

bool SchemaConform::choose(const Schema& schema, const JsonNode& node, Schemas& parts,
                           Misfit* misfit) {
  if (!schema.any_of.empty()) {
    const Schema* chosen = choose_of(schema.any_of, Rule::any_of, node, misfit);
    if (chosen == nullptr || !expand(*chosen, parts)) return false;
  }
  if (!schema.one_of.empty()) {
    const Schema* chosen = choose_of(schema.one_of, Rule::one_of, node, misfit);
    if (chosen == nullptr || !expand(*chosen, parts)) return false;
  }
  if (schema.negated != nullptr && check_.fits(*schema.negated, node, nullptr)) {
    return miss(misfit, shown(node) + " fits what is excluded");
  }
  if (schema.condition != nullptr) {
    const bool is_met = check_.fits(*schema.condition, node, nullptr);
    const Schema* chosen = is_met ? schema.consequence : schema.alternative;
    if (chosen != nullptr && !expand(*chosen, parts)) return false;
  }
  for (const Schema::Dependency& each : schema.dependencies) {
    if (each.schema == nullptr || node.find(each.property) == nullptr) continue;
    if (!expand(*each.schema, parts)) return false;
  }
  return true;
}

const Schema* SchemaConform::find_exact(const Schema::Schemas& alternatives, Rule rule,
                                        const JsonNode& node, bool& is_ambiguous) {
  const Schema* found = nullptr;
  for (const Schema* each : alternatives) {
    if (!check_.fits(*each, node, nullptr)) continue;
    is_ambiguous = found != nullptr;
    if (is_ambiguous || rule == Rule::any_of) return each;
    found = each;
  }
  return found;
}

const Schema* SchemaConform::choose_of(const Schema::Schemas& alternatives, Rule rule,
                                       const JsonNode& node, Misfit* misfit) {
  bool is_ambiguous = false;
  const Schema* exact = find_exact(alternatives, rule, node, is_ambiguous);
  if (is_ambiguous) {
    miss(misfit, shown(node) + " fits more than one alternative");
    return nullptr;
  }
  if (exact != nullptr) return exact;
  const std::size_t start = out_.size();
  for (const Schema* each : alternatives) {
    const bool is_done = write(*each, node, nullptr);
    out_.resize(start);
    if (is_done) return each;
  }
  miss(misfit, fmt::format("{} fits none of {} alternatives", shown(node), alternatives.size()));
  return nullptr;
}

bool SchemaConform::write_union(const Schema& schema, const JsonNode& node, Misfit* misfit) {
  const Rule rule = schema.any_of.empty() ? Rule::one_of : Rule::any_of;
  const Schema::Schemas& alternatives = rule == Rule::any_of ? schema.any_of : schema.one_of;
  bool is_ambiguous = false;
  const Schema* exact = find_exact(alternatives, rule, node, is_ambiguous);
  if (is_ambiguous) return miss(misfit, shown(node) + " fits more than one alternative");
  if (exact != nullptr) return write(*exact, node, misfit);
  const std::size_t start = out_.size();
  const Schema* other_than_null = nullptr;
  std::size_t others = 0;
  for (const Schema* each : alternatives) {
    if (write(*each, node, nullptr)) return true;
    out_.resize(start);
    if (each->types == std::vector{SchemaType::null}) continue;
    other_than_null = each;
    ++others;
  }
  // "expected integer" says more of `integer or null` than that neither fits.
  if (misfit != nullptr && others == 1) return write(*other_than_null, node, misfit);
  return miss(misfit,
              fmt::format("{} fits none of {} alternatives", shown(node), alternatives.size()));
}

bool SchemaConform::write_parts(Parts parts, const JsonNode& node, Misfit* misfit) {
  const bool is_container = node.kind == JsonKind::array || node.kind == JsonKind::object;
  if (!is_container) return write_scalar(parts, node, misfit);
  for (const Schema* each : parts) {
    if (!check_.fits_itself(*each, node, misfit)) return false;
  }
  return node.kind == JsonKind::array ? write_array(parts, node, misfit)
                                      : write_object(parts, node, misfit);
}

bool SchemaConform::write_scalar(Parts parts, const JsonNode& node, Misfit* misfit) {
  const std::size_t start = out_.size();
  const Schema* typed = typed_of(parts);
  std::optional<JsonNode> written;
  if (typed == nullptr || check_.fits_type(*typed, node, nullptr)) {
    // 20.0 is an integer, and becomes 20 where nothing but an integer will do.
    const bool is_integer = typed != nullptr && node.kind == JsonKind::number &&
                            std::find(typed->types.begin(), typed->types.end(),
                                      SchemaType::number) == typed->types.end();
    if (is_integer) {
      written = append_as(out_, SchemaType::integer, node);
    } else {
      append_json(out_, node);
      written = node;
    }
  } else {
    for (auto type = typed->types.begin(); !written && type != typed->types.end(); ++type) {
      written = append_as(out_, *type, node);
    }
  }
  if (!written) {
    const bool is_told = typed != nullptr && !check_.fits_type(*typed, node, misfit);
    return is_told ? false : miss(misfit, shown(node) + " is too large for an integer");
  }
  const bool is_fit = std::all_of(parts.begin(), parts.end(), [&](const Schema* each) {
    return check_.fits_itself(*each, *written, misfit);
  });
  if (!is_fit) out_.resize(start);
  return is_fit;
}

bool SchemaConform::write_array(Parts parts, const JsonNode& array, Misfit* misfit) {
  std::size_t index = 0;
  out_ += '[';
  for (const JsonNode* each = array.begin(); each != array.end(); each = each->after()) {
    Schemas schemas;
    for (const Schema* part : parts) {
      if (const Schema* item = part->item_at(index)) schemas.push_back(item);
    }
    if (index > 0) out_ += ',';
    if (!write_all(schemas, *each, misfit)) {
      if (misfit != nullptr) misfit->within(index);
      return false;
    }
    ++index;
  }
  out_ += ']';
  return true;
}

}  // namespace funcd::registry
