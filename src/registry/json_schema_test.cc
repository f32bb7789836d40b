#include "registry/json_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace funcd::registry {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kItem = R"({"title":"Item","type":"object","properties":{
  "name":{"title":"Name","type":"string"},"age":{"title":"Age","type":"integer"},
  "description":{"title":"Description","type":"string"}},"required":["name","age","description"]})";

std::shared_ptr<const JsonSchema> schema_of(std::string_view text) {
  auto schema = JsonSchema::parse(text, "item.schema.json");
  EXPECT_TRUE(schema) << text << ": " << (schema ? "" : schema.error().message);
  return schema ? *schema : nullptr;
}

std::string conform(std::string_view schema, std::string_view json,
                    Unnamed unnamed = Unnamed::drop) {
  const Result<std::string> result = schema_of(schema)->conform(json, unnamed);
  return result ? *result : "misfit: " + result.error().message;
}

std::string item_with_age(const std::string& age) {
  return conform(kItem, R"({"name":"n","age":)" + age + R"(,"description":"d"})");
}

TEST(JsonSchema, ItemComesOutInTheOrderOfTheSchema) {
  constexpr std::string_view kExpected =
      R"({"name":"zztkm","age":20,"description":"This is a description"})";
  EXPECT_EQ(conform(kItem, kExpected), kExpected);
  EXPECT_EQ(conform(kItem,
                    "\n{\"description\": \"This is a description\", \"extra\": [1, {}],\t"
                    "\"age\": \"20\", \"name\": \"zztkm\"} \r\n"),
            kExpected);
}

TEST(JsonSchema, ItemAgeIsAsPydanticHasIt) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"20", "20"},
      {"\"20\"", "20"},
      {"\" 20.0\\n\"", "20"},
      {"\"2_0\"", "20"},
      {"true", "1"},
      {"false", "0"},
      {"20.0", "20"},
      {"-0", "0"},
      {"1e3", "1000"},
      {"\"\\u00a020\"", "20"},
      {"123456789012345678901234567890", "123456789012345678901234567890"},
      {"\"-123456789012345678901234567890\"", "-123456789012345678901234567890"}};
  for (const auto& [given, expected] : rows) {
    EXPECT_EQ(item_with_age(given), R"({"name":"n","age":)" + expected + R"(,"description":"d"})");
  }
  for (const char* given : {"20.5", "\"20.5\"", "\"1e3\"", "\"x\"", "\"\"", "null", "[20]", "{}",
                            "1e19", "1e400", "\"\\u0661\""}) {
    EXPECT_THAT(item_with_age(given), ::testing::StartsWith("misfit: age: ")) << given;
  }
}

TEST(JsonSchema, MisfitSaysWhereAndWhy) {
  EXPECT_EQ(item_with_age("\"x\""), "misfit: age: expected integer, got \"x\"");
  EXPECT_EQ(item_with_age("1e19"), "misfit: age: 1e19 is too large for an integer");
  EXPECT_EQ(conform(kItem, R"({"name":"n","age":1})"),
            "misfit: description: is required, and missing");
  EXPECT_EQ(conform(kItem, R"({"name":1,"age":1,"description":""})"),
            "misfit: name: expected string, got 1");
  EXPECT_EQ(conform(kItem, "[1]"), "misfit: expected object, got array");
  EXPECT_EQ(conform(kItem, "{"), "misfit: not JSON at byte 1: incomplete JSON");
  const std::string nested =
      R"({"properties":{"items":{"items":{"properties":{"age":{"type":"integer"}}}}}})";
  EXPECT_EQ(conform(nested, R"({"items":[{"age":1},{"age":[]}]})"),
            "misfit: items[1].age: expected integer, got array");
  EXPECT_EQ(conform(nested, R"({"items":[{"age":")" + std::string(500, 'x') + "\"}]}"),
            "misfit: items[0].age: expected integer, got \"" + std::string(60, 'x') + "...\"");
}

TEST(JsonSchema, LastOfEqualKeysCounts) {
  EXPECT_EQ(conform(kItem, R"({"name":"a","age":"x","description":"d","age":2,"name":"b"})"),
            R"({"name":"b","age":2,"description":"d"})");
  EXPECT_EQ(
      conform(kItem, R"({"x":1,"name":"a","age":"x","description":"d","age":2})", Unnamed::keep),
      R"({"x":1,"name":"a","description":"d","age":2})");
}

TEST(JsonSchema, StringsComeOutUnescapedWhereTheyMay) {
  EXPECT_EQ(conform(R"({"type":"string"})", R"("\u00e9\/\u0007\n\ud83d\ude00")"),
            "\"\xC3\xA9/\\u0007\\n\xF0\x9F\x98\x80\"");
}

TEST(JsonSchema, HalfOfASurrogatePairMayOnlyBeDropped) {
  EXPECT_EQ(conform(kItem, R"({"name":"n","age":1,"description":"d","x":"\ud800"})"),
            R"({"name":"n","age":1,"description":"d"})");
  EXPECT_EQ(conform(kItem, R"({"name":"\ud800","age":1,"description":"d"})"),
            "misfit: a string holds half of a surrogate pair, which is no text");
}

TEST(JsonSchema, UnnamedPropertiesAreDroppedUnlessAllowed) {
  const std::string_view given = R"({"b":[1, 2],"a":"1"})";
  EXPECT_EQ(conform(R"({"properties":{"a":{"type":"integer"}}})", given), R"({"a":1})");
  EXPECT_EQ(conform(R"({"properties":{"a":{}},"additionalProperties":false})", given),
            R"({"a":"1"})");
  EXPECT_EQ(conform(R"({"properties":{"a":{}},"additionalProperties":true})", given),
            R"({"a":"1","b":[1,2]})");
  EXPECT_EQ(conform(R"({"properties":{"a":{}},"additionalProperties":{"type":"array",
                        "items":{"type":"number"}}})",
                    R"({"b":["1", 2],"a":"1"})"),
            R"({"a":"1","b":[1,2]})");
  EXPECT_EQ(conform(R"({"type":"object"})", given), R"({"b":[1,2],"a":"1"})");
  EXPECT_EQ(conform("true", given), R"({"b":[1,2],"a":"1"})");
  EXPECT_EQ(conform(R"({"properties":{"a":{}},"patternProperties":{"^b":{}}})", given),
            R"({"a":"1","b":[1,2]})");
  EXPECT_EQ(conform(R"({"properties":{}})", given), "{}");
  EXPECT_EQ(conform(R"({"items":{"properties":{"a":{}}}})", R"([{"a":1,"b":2},{"b":3}])"),
            R"([{"a":1},{}])");
}

TEST(JsonSchema, KeepingKeepsOrderAndTakesTheSchemaAtItsWord) {
  const std::string_view given = R"({"b":[1, 2],"a":"1"})";
  EXPECT_EQ(conform(R"({"properties":{"a":{"type":"integer"}}})", given, Unnamed::keep),
            R"({"b":[1,2],"a":1})");
  EXPECT_EQ(
      conform(R"({"properties":{"a":{}},"additionalProperties":false})", given, Unnamed::keep),
      "misfit: b: is no property that is known");
}

TEST(JsonSchema, OtherTypesAreCoercedAsInPydantic) {
  EXPECT_EQ(conform(R"({"type":"boolean"})", "\"Yes\""), "true");
  EXPECT_EQ(conform(R"({"type":"boolean"})", "0.0"), "false");
  EXPECT_EQ(conform(R"({"type":"boolean"})", "2"), "misfit: expected boolean, got 2");
  EXPECT_EQ(conform(R"({"type":"number"})", "\"1.50\""), "1.50");
  EXPECT_EQ(conform(R"({"type":"number"})", "1.50E1"), "1.50E1");
  EXPECT_EQ(conform(R"({"type":"number"})", "true"), "1.0");
  EXPECT_EQ(conform(R"({"type":"number"})", "\"inf\""), "misfit: expected number, got \"inf\"");
  EXPECT_EQ(conform(R"({"type":"string"})", "1"), "misfit: expected string, got 1");
  EXPECT_EQ(conform(R"({"type":"null"})", "\"null\""), "misfit: expected null, got \"null\"");
  EXPECT_EQ(conform(R"({"type":"array"})", "\"1\""), "misfit: expected array, got \"1\"");
  EXPECT_EQ(conform(R"({"type":"integer","minimum":10})", "\"9\""), "misfit: 9 is too small");
  EXPECT_EQ(conform(R"({"type":"integer","enum":[1,2]})", "\"2\""), "2");
  EXPECT_EQ(conform(R"({"enum":[1,2]})", "\"2\""), "misfit: \"2\" is none of the 2 values allowed");
}

TEST(JsonSchema, AlternativesTakeTheExactOneFirst) {
  const auto both = [](std::string_view json) {
    return conform(R"({"anyOf":[{"type":"integer"},{"type":"string"}]})", json) + " " +
           conform(R"({"type":["integer","string"]})", json);
  };
  EXPECT_EQ(both("\"20\""), "\"20\" \"20\"");
  EXPECT_EQ(both("20"), "20 20");
  EXPECT_EQ(both("true"), "1 1");
  const std::string_view optional = R"({"anyOf":[{"type":"integer"},{"type":"null"}]})";
  EXPECT_EQ(conform(optional, "\"20\""), "20");
  EXPECT_EQ(conform(optional, "null"), "null");
  EXPECT_EQ(conform(optional, "\"x\""), "misfit: expected integer, got \"x\"");
  EXPECT_EQ(conform(R"({"oneOf":[{"minimum":1},{"minimum":2}]})", "3"),
            "misfit: 3 fits more than one alternative");
  EXPECT_EQ(conform(R"({"anyOf":[{"type":"null"},{"type":"array"},{"type":"object"}]})", "3"),
            "misfit: 3 fits none of 3 alternatives");
}

TEST(JsonSchema, AlternativesDecideWhatIsNamed) {
  const std::string_view schema = R"({"oneOf":[
      {"properties":{"kind":{"const":"a"},"x":{"type":"integer"}},"required":["kind","x"]},
      {"properties":{"kind":{"const":"b"},"y":{"type":"integer"}},"required":["kind","y"]}]})";
  EXPECT_EQ(conform(schema, R"({"y":"7","x":8,"kind":"b"})"), R"({"kind":"b","y":7})");
  EXPECT_EQ(conform(schema, R"({"y":7,"x":"8","kind":"a"})"), R"({"kind":"a","x":8})");
  const std::string_view mixed = R"({"properties":{"id":{"type":"integer"}},
      "anyOf":[{"properties":{"x":{"type":"integer"}},"required":["x"]},{"required":["y"]}],
      "if":{"required":["z"]},"then":{"properties":{"z":{"type":"number"}}},
      "dependencies":{"id":{"properties":{"of":{}}}}})";
  EXPECT_EQ(conform(mixed, R"({"x":"1","id":"2","z":"3","of":4,"other":5})"),
            R"({"id":2,"x":1,"z":3,"of":4})");
  EXPECT_EQ(conform(mixed, R"({"y":"1","z":[]})"), "misfit: z: expected number, got array");
}

TEST(JsonSchema, AllOfNamesWhatItsPartsName) {
  const std::string_view schema = R"({"allOf":[{"$ref":"#/definitions/base"},
      {"properties":{"age":{"type":"integer"},"id":{"minimum":5}}}],
      "definitions":{"base":{"properties":{"id":{"type":"integer"}},"required":["id"]}}})";
  EXPECT_EQ(conform(schema, R"({"age":"1","id":"7","x":0})"), R"({"id":7,"age":1})");
  EXPECT_EQ(conform(schema, R"({"age":"1","id":"4"})"), "misfit: id: 4 is too small");
  EXPECT_EQ(conform(schema, R"({"age":"1"})"), "misfit: id: is required, and missing");
}

TEST(JsonSchema, ReferencesMayRecurse) {
  const std::string_view tree = R"({"$ref":"#/definitions/node","definitions":{"node":{
      "properties":{"value":{"type":"integer"},"next":{"$ref":"#/definitions/node"}},
      "required":["value"]}}})";
  EXPECT_EQ(conform(tree, R"({"next":{"next":{"value":"3","z":0},"value":"2"},"value":"1"})"),
            R"({"value":1,"next":{"value":2,"next":{"value":3}}})");
  EXPECT_EQ(conform(tree, R"({"value":1,"next":{"value":2,"next":{}}})"),
            "misfit: next.next.value: is required, and missing");
}

TEST(JsonSchema, WhatLeavesAChoiceIsTold) {
  const auto schema = schema_of(R"({"properties":{"a":{"type":["integer","null"]},
      "b":{"type":["integer","string"]},"c":{"enum":[1]},"d":{"type":"integer","enum":[1]},
      "e":{"anyOf":[{"type":"null"},{"$ref":"#/definitions/two"}]},
      "f":{"oneOf":[{"type":"null"},{"type":"string"}]},"g":{"allOf":[{"const":1}]},
      "h":{"type":"array","items":{"type":["boolean","number"]}},"i":{}},
      "definitions":{"two":{"type":["boolean","number"]}}})");
  using Part = JsonSchema::Part;
  for (const std::string_view name : {"b", "c", "e", "g"}) {
    EXPECT_TRUE(schema->is_choice(name, Part::whole)) << name;
  }
  for (const std::string_view name : {"a", "d", "f", "h", "i", "z"}) {
    EXPECT_FALSE(schema->is_choice(name, Part::whole)) << name;
  }
  EXPECT_TRUE(schema->is_choice("h", Part::element));
  EXPECT_FALSE(schema->is_choice("a", Part::element));
  JsonDocument one;
  ASSERT_TRUE(one.parse("1"));
  EXPECT_TRUE(schema->fits("c", Part::whole, one.root()));
  EXPECT_TRUE(schema->fits("h", Part::element, one.root()));
  EXPECT_TRUE(schema->fits("z", Part::whole, one.root()));
  EXPECT_FALSE(schema->fits("f", Part::whole, one.root()));
}

TEST(JsonSchema, TypesOfPropertiesAreTold) {
  const auto schema = schema_of(R"({"properties":{"a":{"type":"integer"},"b":{"anyOf":[
      {"type":"null"},{"$ref":"#/definitions/flag"}]},"c":{"type":["null","number"]},"d":{},
      "e":{"type":"array","items":{"type":"integer"}}},
      "allOf":[{"properties":{"f":{"type":"string"}}}],
      "definitions":{"flag":{"type":"boolean"}}})");
  EXPECT_EQ(schema->type_of("a"), "integer");
  EXPECT_EQ(schema->type_of("b"), "boolean");
  EXPECT_EQ(schema->type_of("c"), "number");
  EXPECT_EQ(schema->type_of("d"), "");
  EXPECT_EQ(schema->type_of("e"), "array");
  EXPECT_EQ(schema->item_type_of("e"), "integer");
  EXPECT_EQ(schema->item_type_of("a"), "");
  EXPECT_EQ(schema->type_of("f"), "string");
  EXPECT_EQ(schema->type_of("z"), "");
}

TEST(JsonSchema, WhatIsNoSchemaIsRefusedWithItsPlace) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"{", "not JSON at byte 1: incomplete JSON"},
      {"[]", "/: a schema is an object or a boolean"},
      {"\"x\"", "/: a schema is an object or a boolean"},
      {R"({"type":"int"})",
       "/type: 'int' is no type; known are null, boolean, integer, number, string, array and "
       "object"},
      {R"({"properties":{"age":{"type":["integer",1]}}})",
       "/properties/age/type: must be a type or a list of types"},
      {R"({"properties":[]})", "/properties: must be an object of schemas"},
      {R"({"properties":{"a":1}})", "/properties/a: a schema is an object or a boolean"},
      {R"({"required":"a"})", "/required: must be a list of property names"},
      {R"({"required":[1]})", "/required: must be a list of property names"},
      {R"({"minLength":-1})", "/minLength: must be a whole number, not negative"},
      {R"({"maxItems":1.5})", "/maxItems: must be a whole number, not negative"},
      {R"({"maximum":"1"})", "/maximum: must be a number"},
      {R"({"exclusiveMinimum":true})", "/exclusiveMinimum: must be a number"},
      {R"({"multipleOf":0})", "/multipleOf: must be a number above 0"},
      {R"({"pattern":"("})", "/pattern: '(' is no regular expression"},
      {R"({"patternProperties":{"[":{}}})", "/patternProperties/[: '[' is no regular expression"},
      {R"({"patternProperties":{"a":{"type":"x"}}})", "/patternProperties/a/type: 'x' is no type"},
      {R"({"enum":1})", "/enum: must be a list of values"},
      {R"({"anyOf":[]})", "/anyOf: must be a list of schemas"},
      {R"({"allOf":[true,3]})", "/allOf/1: a schema is an object or a boolean"},
      {R"({"uniqueItems":1})", "/uniqueItems: must be true or false"},
      {R"({"prefixItems":[]})", "/prefixItems: a keyword of a later draft; draft 7 is understood"},
      {R"({"$ref":"#/definitions/x"})",
       "/$ref: '#/definitions/x' is not in this document; references to others are not followed"},
      {R"({"properties":{"a":{"$ref":"http://example.com/x.json"}}})",
       "/properties/a/$ref: 'http://example.com/x.json' is not in this document; references to "
       "others are not followed"},
      {R"({"$ref":"#"})", "/$ref: refers to itself without end"},
      {R"({"anyOf":[{"$ref":"#/definitions/a"}],"definitions":{"a":{"not":{"$ref":"#"}}}})",
       "refers to itself without end"},
      {R"({"definitions":{"unused":{"type":"strnig"}}})", "/definitions/unused/type: 'strnig'"},
  };
  for (const auto& [schema, message] : rows) {
    const auto result = JsonSchema::parse(schema, "item.schema.json");
    ASSERT_FALSE(result) << schema;
    EXPECT_THAT(result.error().message, ::testing::StartsWith("item.schema.json: ")) << schema;
    EXPECT_THAT(result.error().message, HasSubstr(message)) << schema;
  }
}

TEST(JsonSchema, PatternsAreOfCodePointsAndBounded) {
  EXPECT_EQ(conform(R"({"pattern":"^.{2}$"})", "\"\xC3\xA9\xF0\x9F\x98\x80\""),
            "\"\xC3\xA9\xF0\x9F\x98\x80\"");
  EXPECT_EQ(conform(R"({"pattern":"^\\u00e9+$"})", "\"\xC3\xA9\xC3\xA9\""), "\"\xC3\xA9\xC3\xA9\"");
  EXPECT_THAT(conform(R"({"pattern":"^a$"})", R"("b\na")"), HasSubstr("does not match"));
  EXPECT_THAT(conform(R"({"pattern":"^a$"})", R"("a\n")"), HasSubstr("does not match"));
  const std::string costly = "\"" + std::string(3000, 'a') + "!\"";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(conform(R"({"pattern":"^(a+)+$"})", costly), HasSubstr("too much work"));
  EXPECT_THAT(conform(R"({"pattern":"^(a|a)*$"})", costly), HasSubstr("too much work"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  // A long text needs no deep stack.
  EXPECT_EQ(conform(R"({"pattern":"^(a|b)*$"})", "\"" + std::string(10'000, 'b') + "\"").size(),
            10'002U);
}

TEST(JsonSchema, DeepAndManifoldDocumentsAreBounded) {
  const std::string_view doubling = R"({"anyOf":[{"items":{"$ref":"#"},"type":"array"},
      {"items":{"$ref":"#"},"type":"array","minItems":1},{"type":"integer"}]})";
  const std::string deep = std::string(60, '[') + "\"x\"" + std::string(60, ']');
  EXPECT_THAT(conform(doubling, deep), HasSubstr("too much work to check"));
  const auto validated = schema_of(doubling)->validate(deep);
  ASSERT_FALSE(validated);
  EXPECT_THAT(validated.error().message, HasSubstr("too much work to check"));
  const std::string_view recursive = R"({"items":{"$ref":"#"}})";
  const std::string deepest = std::string(512, '[') + std::string(512, ']');
  EXPECT_EQ(conform(recursive, deepest), deepest);
  EXPECT_EQ(conform(recursive, deepest, Unnamed::keep), deepest);
}

TEST(JsonSchema, UniquenessOfManyElementsIsQuick) {
  std::string many = "[0";
  for (int i = 1; i < 200'000; ++i) many += "," + std::to_string(i);
  EXPECT_EQ(conform(R"({"uniqueItems":true})", many + "]"), many + "]");
  EXPECT_EQ(conform(R"({"uniqueItems":true})", many + ",7.0]"), "misfit: elements are not unique");
  // Their hashes are equal, as their nearest doubles are.
  std::string alike = "[1";
  for (int i = 10'000; i < 20'000; ++i)
    alike += ",1000000000000000000000000000" + std::to_string(i);
  EXPECT_EQ(conform(R"({"uniqueItems":true})", alike + "]"), "misfit: elements are not unique");
}

}  // namespace
}  // namespace funcd::registry
