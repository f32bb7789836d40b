// A schema and a document: whatever they are, both are taken or refused, and what comes out is JSON
// that comes out the same once more. The input is cut in two at the first NUL.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "registry/json_document.h"
#include "registry/json_schema.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace funcd::registry;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const std::size_t cut = text.find('\0');
  const std::string_view json = cut == text.npos ? text : text.substr(cut + 1);

  JsonDocument document;
  const bool is_parsed = document.parse(json).has_value();
  CHECK(is_parsed == is_json(json));
  if (is_parsed && !document.has_lone_surrogates()) {
    std::string compact;
    append_json(compact, document.root());
    JsonDocument again;
    CHECK(again.parse(compact).has_value(), "{}", compact);
    std::string twice;
    append_json(twice, again.root());
    CHECK(twice == compact, "{} {}", twice, compact);
  }
  const auto schema = JsonSchema::parse(text.substr(0, std::min(cut, size)), "fuzz.schema.json");
  if (!schema) return 0;
  for (const Unnamed unnamed : {Unnamed::drop, Unnamed::keep}) {
    const auto conforming = (*schema)->conform(json, unnamed);
    CHECK(is_parsed || !conforming);
    if (conforming) CHECK(is_json(*conforming), "{}", *conforming);
  }
  if ((*schema)->validate(json)) CHECK(is_parsed);
  (void)(*schema)->type_of("a");
  (void)(*schema)->item_type_of("a");
  (void)(*schema)->is_choice("a", funcd::registry::JsonSchema::Part::element);
  return 0;
}
