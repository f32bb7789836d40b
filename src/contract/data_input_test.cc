#include "contract/data_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "contract/test_call.h"

namespace funcd::contract {
namespace {

using ::testing::StartsWith;

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kForm = "application/x-www-form-urlencoded";

std::string data_of(TestCall& test) {
  std::string out;
  const auto failure = append_data(test.call(), out);
  return failure ? std::string(name_of(failure->reason)) + ": " + failure->detail : out;
}

class DataInput : public ::testing::Test {
 protected:
  void SetUp() override { test_.revision.manifest.input = {{"name", "\"zztkm\""}, {"age", "20"}}; }
  std::string query(std::string_view text) {
    test_.head.query = text;
    return data_of(test_);
  }
  TestCall test_;
};

TEST_F(DataInput, DefaultsAloneAreDataAsTheyStand) {
  EXPECT_EQ(data_of(test_), R"({"name":"zztkm","age":20})");
  test_.revision.manifest.input = {{"a\"b\n", "[1,{}]"}};
  EXPECT_EQ(data_of(test_), R"({"a\"b\n":[1,{}]})");
  test_.revision.manifest.input.clear();
  EXPECT_EQ(data_of(test_), "{}");
}

TEST_F(DataInput, QueryReplacesInPlaceAndAddsAtTheEnd) {
  EXPECT_EQ(query("x=1&age=36&name=ada"), R"({"name":"ada","age":36,"x":"1"})");
  EXPECT_EQ(query("name=36&q=%22%5C%0A\xC3\xA9"),
            "{\"name\":\"36\",\"age\":20,\"q\":\"\\\"\\\\\\n\u00E9\"}");
  EXPECT_EQ(query("&&"), R"({"name":"zztkm","age":20})");
}

TEST_F(DataInput, RepeatedKeysMakeArraysOfTheTypeOfTheDefault) {
  EXPECT_EQ(query("age=1&x=a&age=2&x=b&age=3"), R"({"name":"zztkm","age":[1,2,3],"x":["a","b"]})");
  EXPECT_EQ(query("age=1&age=b"), "bad-input: age: expected integer, got 'b'");
}

TEST_F(DataInput, ValuesTakeTheTypeOfTheDefault) {
  test_.revision.manifest.input = {{"i", "1"},   {"n", "1.5"}, {"b", "true"},      {"s", "\"\""},
                                   {"a", "[1]"}, {"e", "[]"},  {"o", "{\"k\":1}"}, {"z", "null"}};
  EXPECT_EQ(query("i=-7&n=2&b=off&s=1&a=5&e=x&o=%7B%22k%22:%202%7D&z=1"),
            R"({"i":-7,"n":2,"b":false,"s":"1","a":[5],"e":["x"],"o":{"k":2},"z":"1"})");
  EXPECT_EQ(query("i=123456789012345678901234567890&n=1e3&a=1&a=2"),
            R"({"i":123456789012345678901234567890,"n":1e3,"b":true,"s":"","a":[1,2],"e":[],)"
            R"("o":{"k":1},"z":null})");
  EXPECT_EQ(query("i=1.5"), "bad-input: i: expected integer, got '1.5'");
  EXPECT_EQ(query("n=x"), "bad-input: n: expected number, got 'x'");
  EXPECT_EQ(query("b=maybe"), "bad-input: b: expected boolean, got 'maybe'");
  EXPECT_EQ(query("a=x"), "bad-input: a: expected integer, got 'x'");
  EXPECT_EQ(query("o=[]"), "bad-input: o: expected object, got '[]'");
  EXPECT_EQ(query("o=%7B%22a%22:%22%5Cud800%22%7D"),
            "bad-input: o: expected object, got '{\"a\":\"\\ud800\"}'");
  EXPECT_EQ(query("i=" + std::string(500, 'x')),
            "bad-input: i: expected integer, got '" + std::string(60, 'x') + "...'");
}

TEST_F(DataInput, SchemaTypesAreForKeysWithoutDefaults) {
  test_.set_schema(test_.revision.request_schema,
                   R"({"properties":{"age":{"type":"number"},"ok":{"type":"boolean"},
                       "ids":{"type":"array","items":{"type":"integer"}}},"required":["ids"]})");
  EXPECT_EQ(query("ids=1&ok=1&age=3&x=4"),
            R"({"name":"zztkm","age":3,"ids":[1],"ok":true,"x":"4"})");
  EXPECT_EQ(query("age=1.5&ids=1"), "bad-input: age: expected integer, got '1.5'");
  EXPECT_EQ(query("ok=1"), "bad-input: ids: is required, and missing");
  EXPECT_EQ(query("ids=x"), "bad-input: ids: expected integer, got 'x'");
}

// A schema of one property, and what texts become under it.
class DataInputChoice : public DataInput {
 protected:
  void SetUp() override {}
  std::string u_of(std::string_view property, std::string_view text) {
    test_.set_schema(test_.revision.request_schema,
                     fmt::format(R"({{"properties":{{"u":{}}}}})", property));
    const std::string data = query(fmt::format("u={}", text));
    constexpr std::string_view kBegin = R"({"u":)";
    return data.starts_with(kBegin) ? data.substr(kBegin.size(), data.size() - kBegin.size() - 1)
                                    : data;
  }
};

TEST_F(DataInputChoice, OfSeveralTypesATextIsWhatItSpells) {
  constexpr std::string_view kAny = R"({"type":["integer","string"]})";
  EXPECT_EQ(u_of(kAny, "7"), "7");
  EXPECT_EQ(u_of(kAny, "x"), R"("x")");
  EXPECT_EQ(u_of(kAny, "007"), R"("007")");
  EXPECT_EQ(u_of(kAny, "%207"), R"(" 7")");
  EXPECT_EQ(u_of(kAny, "1.5"), R"("1.5")");
  EXPECT_EQ(u_of(kAny, "%227%22"), R"("\"7\"")");
  EXPECT_EQ(u_of(R"({"type":["string","integer"]})", "7"), "7");
  constexpr std::string_view kNoString = R"({"type":["boolean","number"]})";
  EXPECT_EQ(u_of(kNoString, "1.5"), "1.5");
  EXPECT_EQ(u_of(kNoString, "true"), "true");
  EXPECT_EQ(u_of(kNoString, "on"), "true");
  EXPECT_EQ(u_of(kNoString, "x"), R"(bad-input: u: expected boolean or number, got "x")");
}

TEST_F(DataInputChoice, OfAlternativesItIsTheOneThatFits) {
  for (const std::string_view list : {"anyOf", "oneOf"}) {
    const auto schema =
        fmt::format(R"({{"{}":[{{"type":"integer","minimum":10}},{{"type":"string"}}]}})", list);
    EXPECT_EQ(u_of(schema, "10"), "10") << list;
    EXPECT_EQ(u_of(schema, "9"), R"("9")") << list;
  }
  EXPECT_EQ(u_of(R"({"anyOf":[{"type":"object"},{"type":"boolean"}]})", "{}"), "{}");
}

TEST_F(DataInputChoice, AValueThatIsNamedNeedsNoType) {
  EXPECT_EQ(u_of(R"({"enum":[1,2,"2","a",true]})", "2"), "2");
  EXPECT_EQ(u_of(R"({"enum":[1,2,"2","a",true]})", "a"), R"("a")");
  EXPECT_EQ(u_of(R"({"enum":[1,2,"2","a",true]})", "true"), "true");
  EXPECT_EQ(u_of(R"({"enum":["2"]})", "2"), R"("2")");
  EXPECT_EQ(u_of(R"({"const":5})", "5"), "5");
  EXPECT_THAT(u_of(R"({"const":5})", "6"), StartsWith("bad-input: u: expected 5, got"));
}

TEST_F(DataInputChoice, NullIsAnAnswerWhereNoStringIs) {
  EXPECT_EQ(u_of(R"({"type":["integer","boolean","null"]})", "null"), "null");
  EXPECT_EQ(u_of(R"({"type":["integer","string","null"]})", "null"), R"("null")");
}

TEST_F(DataInputChoice, ElementsAreChosenOneByOne) {
  constexpr std::string_view kList = R"({"type":"array","items":{"type":["integer","string"]}})";
  EXPECT_EQ(u_of(kList, "1&u=x&u=2"), R"([1,"x",2])");
  EXPECT_EQ(u_of(R"({"anyOf":[{"type":"integer"},{"type":"array","items":{"type":"integer"}}]})",
                 "1&u=2"),
            "[1,2]");
}

TEST_F(DataInputChoice, PathsAndFormsAreTextToo) {
  test_.set_schema(test_.revision.request_schema,
                   R"({"properties":{"id":{"enum":[1,2]},"f":{"const":true}}})");
  test_.params = {{"id", "2"}};
  test_.set_body(kForm, "f=true");
  EXPECT_EQ(data_of(test_), R"({"id":2,"f":true})");
}

TEST_F(DataInput, SchemaChecksTheWholeAndDropsNothing) {
  test_.set_schema(test_.revision.request_schema,
                   R"({"properties":{"age":{"type":"integer","minimum":18}}})");
  EXPECT_EQ(query("other=1"), R"({"name":"zztkm","age":20,"other":"1"})");
  EXPECT_EQ(query("age=17"), "bad-input: age: 17 is too small");
  test_.set_body(kJson, R"({"age":"40"})");
  EXPECT_EQ(query(""), R"({"name":"zztkm","age":40})");
  test_.body = "[]";
  test_.set_schema(test_.revision.request_schema, R"({"type":"object"})");
  EXPECT_EQ(query(""), "bad-input: expected object, got array");
}

TEST_F(DataInput, LaterSourcesReplaceEarlierOnes) {
  test_.head.query = "id=query&age=1&age=2&form=q";
  test_.params = {{"id", "path"}, {"age", "7"}};
  EXPECT_EQ(data_of(test_), R"({"name":"zztkm","age":7,"id":"path","form":"q"})");
  test_.set_body(kForm, "form=a&age=8&form=b");
  EXPECT_EQ(data_of(test_), R"({"name":"zztkm","age":8,"id":"path","form":["a","b"]})");
  test_.fields.clear();
  test_.set_body(kJson, R"({ "form": null, "age":[9.50], "new": {"a" : 1}, "id":"body" })");
  EXPECT_EQ(data_of(test_),
            R"({"name":"zztkm","age":[9.50],"id":"body","form":null,"new":{"a":1}})");
}

TEST_F(DataInput, PathParametersAreTyped) {
  test_.params = {{"id", "42"}};
  EXPECT_EQ(data_of(test_), R"({"name":"zztkm","age":20,"id":"42"})");
  test_.params = {{"age", "x"}};
  EXPECT_EQ(data_of(test_), "bad-input: age: expected integer, got 'x'");
  test_.params = {{"id", "\xFF"}};
  EXPECT_EQ(data_of(test_), "bad-request: the path's 'id' is no UTF-8");
}

TEST_F(DataInput, JsonThatIsNoObjectIsDataItself) {
  for (const std::string_view text :
       {"[1,2.50]", "\"text\"", "42", "null", "true", "[]", "1e400"}) {
    test_.fields.clear();
    test_.set_body(kJson, text);
    EXPECT_EQ(query("age=1"), text);
  }
  test_.body = " [ 1 , 2 ]\n";
  EXPECT_EQ(query(""), "[1,2]");
}

TEST_F(DataInput, BodiesThatAreNoJsonAreBadRequests) {
  for (const std::string_view text : {"{\"a\":", "{'a':1}", "{} {}", "x", "{\"a\":\"\xFF\"}",
                                      "\xEF\xBB\xBF{}", "{\"a\":NaN}", "{\"a\":01}", " "}) {
    test_.fields.clear();
    test_.set_body(kJson, text);
    EXPECT_THAT(query(""), StartsWith("bad-request: the body is not JSON at byte ")) << text;
  }
  test_.body = "{\"a\":\"\\ud800\"}";
  EXPECT_THAT(query(""), StartsWith("bad-request: the body holds half of a surrogate pair"));
}

TEST_F(DataInput, OtherBodiesAreNoData) {
  test_.set_body("text/plain", "{\"a\":1}");
  EXPECT_EQ(query(""), R"({"name":"zztkm","age":20})");
  test_.fields.clear();
  test_.set_body("multipart/form-data; boundary=x", "--x--");
  EXPECT_EQ(query(""), R"({"name":"zztkm","age":20})");
  test_.fields.clear();
  test_.set_body(kJson, "");
  EXPECT_EQ(query(""), R"({"name":"zztkm","age":20})");
}

TEST_F(DataInput, WhatDoesNotDecodeIsABadRequest) {
  EXPECT_EQ(query("a=%ff"), "bad-request: the query does not decode to UTF-8 text");
  EXPECT_EQ(query("a=%4"), "bad-request: the query does not decode to UTF-8 text");
  test_.set_body(kForm, "a=%zz");
  EXPECT_EQ(query(""), "bad-request: the form does not decode to UTF-8 text");
}

TEST_F(DataInput, PairsAreBounded) {
  std::string text = "k0=";
  for (std::size_t i = 1; i < kPairsMax; ++i) text += "&k" + std::to_string(i) + "=v";
  EXPECT_THAT(query(text), StartsWith(R"({"name":"zztkm","age":20,"k0":"","k1":"v")"));
  text += "&k7=again";
  EXPECT_EQ(query(text), "bad-request: the query has more than 1000 keys");
}

TEST_F(DataInput, ManyKeysKeepTheirOrderAndAreQuick) {
  const auto start = std::chrono::steady_clock::now();
  std::string text;
  std::string expected = R"({"name":"zztkm","age":20,"q0":"0")";
  for (int i = 0; i < 500; ++i) text += "q" + std::to_string(i) + "=" + std::to_string(i) + "&";
  for (int i = 1; i < 500; ++i) {
    expected += ",\"q" + std::to_string(i) + "\":\"" + std::to_string(i) + "\"";
  }
  std::string body = "{\"q3\":true";
  expected.replace(expected.find("\"q3\":\"3\""), 8, "\"q3\":true");
  for (int i = 0; i < 200'000; ++i) {
    body += ",\"b" + std::to_string(i) + "\":0";
    expected += ",\"b" + std::to_string(i) + "\":0";
  }
  test_.set_body(kJson, body + "}");
  EXPECT_EQ(query(text), expected + "}");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace funcd::contract
