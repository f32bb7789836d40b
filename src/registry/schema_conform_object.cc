#include <algorithm>

#include "registry/schema_conform.h"

namespace funcd::registry {
namespace {

using Parts = std::span<const Schema* const>;

bool refuses_others(const Schema& part) {
  return part.additional_properties != nullptr && part.additional_properties->verdict == false;
}

bool allows_others(const Schema& part) {
  return part.additional_properties != nullptr && !refuses_others(part);
}

// Whether a member that no part names may be anything but dropped.
bool may_keep_others(Parts parts) {
  const auto may_keep = [](const Schema* part) {
    return allows_others(*part) || !part->pattern_properties.empty();
  };
  const auto is_closed = [](const Schema* part) {
    return part->has_properties || refuses_others(*part);
  };
  return std::any_of(parts.begin(), parts.end(), may_keep) ||
         std::none_of(parts.begin(), parts.end(), is_closed);
}

bool is_property(Parts parts, std::string_view key) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const Schema* part) { return part->find(key).has_value(); });
}

void append_key(std::string& out, const JsonNode& key) {
  if (out.back() != '{') out += ',';
  append_json(out, key);
  out += ':';
}

}  // namespace

bool SchemaConform::write_object(Parts parts, const JsonNode& object, Misfit* misfit) {
  out_ += '{';
  const bool is_done = unnamed_ == Unnamed::drop ? write_in_schema_order(parts, object, misfit)
                                                 : write_in_source_order(parts, object, misfit);
  out_ += '}';
  return is_done;
}

// For each part after the other, for each of its properties: the key of the last member that has
// that name, or null.
SchemaConform::Slots SchemaConform::slots_of(Parts parts, const JsonNode& object) {
  std::size_t count = 0;
  for (const Schema* part : parts) count += part->properties.size();
  Slots slots(count, nullptr);
  for (const JsonNode* key = object.begin(); key != object.end(); key = key->next_key()) {
    std::size_t first = 0;
    for (const Schema* part : parts) {
      if (const auto index = part->find(key->text())) slots[first + *index] = key;
      first += part->properties.size();
    }
  }
  return slots;
}

bool SchemaConform::write_in_schema_order(Parts parts, const JsonNode& object, Misfit* misfit) {
  const Slots slots = slots_of(parts, object);
  std::size_t slot = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for (const Schema::Property& property : parts[i]->properties) {
      const JsonNode* key = slots[slot++];
      if (key == nullptr || is_property(parts.first(i), property.name)) continue;
      if (!write_named(parts, *key, misfit)) return false;
    }
  }
  if (!may_keep_others(parts)) return true;
  for (const JsonNode* key = object.begin(); key != object.end(); key = key->next_key()) {
    if (is_property(parts, key->text())) continue;
    if (!write_unnamed(parts, *key, misfit)) return false;
  }
  return true;
}

bool SchemaConform::write_in_source_order(Parts parts, const JsonNode& object, Misfit* misfit) {
  const Slots slots = slots_of(parts, object);
  const auto is_last_of_its_name = [&](const JsonNode* key) {
    return std::find(slots.begin(), slots.end(), key) != slots.end();
  };
  for (const JsonNode* key = object.begin(); key != object.end(); key = key->next_key()) {
    const bool is_named = is_property(parts, key->text());
    if (is_named && !is_last_of_its_name(key)) continue;
    const bool is_done =
        is_named ? write_named(parts, *key, misfit) : write_unnamed(parts, *key, misfit);
    if (!is_done) return false;
  }
  return true;
}

bool SchemaConform::write_named(Parts parts, const JsonNode& key, Misfit* misfit) {
  Schemas schemas;
  for (const Schema* part : parts) {
    const auto index = part->find(key.text());
    if (index) schemas.push_back(part->properties[*index].schema);
    const bool is_named = add_patterns(*part, key.text(), schemas) || index;
    if (is_named || part->additional_properties == nullptr) continue;
    // Dropping what one part does not name would take from another what it does.
    if (refuses_others(*part) && unnamed_ == Unnamed::drop) continue;
    schemas.push_back(part->additional_properties);
  }
  return write_member(schemas, key, misfit);
}

bool SchemaConform::write_unnamed(Parts parts, const JsonNode& key, Misfit* misfit) {
  Schemas schemas;
  bool is_kept = false;
  bool is_closed = false;
  for (const Schema* part : parts) {
    if (add_patterns(*part, key.text(), schemas)) {
      is_kept = true;
    } else if (allows_others(*part)) {
      is_kept = true;
      schemas.push_back(part->additional_properties);
    } else if (refuses_others(*part) && unnamed_ == Unnamed::keep) {
      if (misfit != nullptr) *misfit = {std::string(key.text()), "is no property that is known"};
      return false;
    } else {
      is_closed |= part->has_properties || refuses_others(*part);
    }
  }
  if (unnamed_ == Unnamed::drop && is_closed && !is_kept) return true;
  return write_member(schemas, key, misfit);
}

// Adds the schemas of the patterns that the key matches; whether there is one.
bool SchemaConform::add_patterns(const Schema& part, std::string_view key, Schemas& schemas) {
  bool is_named = false;
  for (const Schema::PatternProperty& each : part.pattern_properties) {
    if (!check_.matches(each.pattern, key)) continue;
    is_named = true;
    schemas.push_back(each.schema);
  }
  return is_named;
}

bool SchemaConform::write_member(const Schemas& schemas, const JsonNode& key, Misfit* misfit) {
  append_key(out_, key);
  if (write_all(schemas, key.value(), misfit)) return true;
  if (misfit != nullptr) misfit->within(key.text());
  return false;
}

}  // namespace funcd::registry
