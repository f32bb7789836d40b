#include "contract/contract.h"

#include <gtest/gtest.h>

#include "contract/test_call.h"

namespace funcd::contract {
namespace {

using engine::Ending;
using engine::EndKind;
using registry::ContractKind;

constexpr std::string_view kItem =
    R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},
        "required":["name","age"]})";
const Ending kReturned{};
const Ending kExit0{.kind = EndKind::exited, .exit_code = 0, .message = {}, .trace = {}};
const Ending kExit3{.kind = EndKind::exited, .exit_code = 3, .message = {}, .trace = {}};

// "200 application/json {}" or "bad-output: ...".
std::string shaped(ContractKind contract, const Ending& ending, std::string out,
                   std::string_view response_schema = {}) {
  TestCall test;
  test.revision.contract = contract;
  if (!response_schema.empty()) test.set_schema(test.revision.response_schema, response_schema);
  storage::KvChange kv;
  const auto result = shape(test.call(), ending, std::move(out), kv);
  if (const auto* failure = std::get_if<Failure>(&result)) {
    return std::string(name_of(failure->reason)) + ": " + failure->detail;
  }
  const auto& response = std::get<http::Response>(result);
  return std::to_string(response.status) + " " + std::string(response.content_type) + " " +
         response.body;
}

std::string reason(ContractKind contract, const Ending& ending, std::string out,
                   std::string_view response_schema = {}) {
  const std::string text = shaped(contract, ending, std::move(out), response_schema);
  return text.substr(0, text.find_first_of(": "));
}

TEST(Contract, DataPassesJsonThroughUnchanged) {
  EXPECT_EQ(shaped(ContractKind::data, kReturned, R"({"b": 1.50, "a": 1e400})"),
            R"(200 application/json {"b": 1.50, "a": 1e400})");
  EXPECT_EQ(shaped(ContractKind::data, kReturned, " \r\n\t[1 , 2]\n\n"),
            "200 application/json [1 , 2]");
  EXPECT_EQ(shaped(ContractKind::data, kExit0, "1"), "200 application/json 1");
}

TEST(Contract, DataWithASchemaConforms) {
  EXPECT_EQ(shaped(ContractKind::data, kReturned, R"({"age":"20","x":1,"name":"n"})", kItem),
            R"(200 application/json {"name":"n","age":20})");
  EXPECT_EQ(shaped(ContractKind::automatic, kReturned, R"({"age":"20","x":1,"name":"n"})", kItem),
            R"(200 application/json {"name":"n","age":20})");
  EXPECT_EQ(shaped(ContractKind::data, kReturned, R"({"name":"n"})", kItem),
            "bad-output: its output does not fit: age: is required, and missing");
}

TEST(Contract, ExitIsAFailureOnlyWithoutUsableOutput) {
  for (const ContractKind contract : {ContractKind::data, ContractKind::automatic}) {
    EXPECT_EQ(shaped(contract, kExit3, "{}"), "200 application/json {}");
    EXPECT_EQ(reason(contract, kExit3, ""), "exit");
    EXPECT_EQ(reason(contract, kExit3, "text"), "exit");
    EXPECT_EQ(reason(contract, kExit3, "{"), "exit");
    EXPECT_EQ(reason(contract, kReturned, ""), "bad-output");
    EXPECT_EQ(reason(contract, kExit0, ""), "bad-output");
  }
  EXPECT_EQ(reason(ContractKind::data, kExit3, "{}", kItem), "exit");
  EXPECT_EQ(shaped(ContractKind::data, kExit3, ""),
            "exit: it exited with code 3, and it printed nothing");
}

TEST(Contract, DataIsStrictJson) {
  for (const char* out : {"text", "NaN", "{'a':1}", "{}{}", "\xEF\xBB\xBF{}", "\"\xFF\"", " \n",
                          "Content-Type: application/json\n\n{}"}) {
    EXPECT_EQ(reason(ContractKind::data, kReturned, out), "bad-output") << out;
  }
}

TEST(Contract, OtherEndsFailWhateverWasPrinted) {
  const std::vector<std::pair<EndKind, std::string>> rows = {
      {EndKind::trapped, "trap"},
      {EndKind::time_limit, "time-limit"},
      {EndKind::memory_limit, "memory-limit"},
      {EndKind::output_limit, "output-too-large"},
      {EndKind::exhausted, "overloaded"},
      {EndKind::failed, "internal"}};
  for (const auto& [kind, word] : rows) {
    const Ending ending{kind, 0, "what happened", {}};
    for (const ContractKind contract :
         {ContractKind::data, ContractKind::automatic, ContractKind::cgi}) {
      EXPECT_EQ(shaped(contract, ending, R"({"a":1})"), word + ": what happened");
    }
  }
}

TEST(Contract, AutoLooksAtTheOutput) {
  EXPECT_EQ(shaped(ContractKind::automatic, kReturned, "{\"a\":1}\n"),
            "200 application/json {\"a\":1}");
  EXPECT_EQ(shaped(ContractKind::automatic, kReturned, "Status: 201\n\nmade"),
            "201 text/plain; charset=utf-8 made");
  EXPECT_EQ(shaped(ContractKind::automatic, kExit3, "Status: 201\n\nmade"),
            "201 text/plain; charset=utf-8 made");
  EXPECT_EQ(reason(ContractKind::automatic, kReturned, "Status: 99\n\nmade"), "bad-output");
  EXPECT_EQ(shaped(ContractKind::automatic, kReturned, "hello, world\n"),
            "200 text/plain; charset=utf-8 hello, world\n");
  EXPECT_EQ(shaped(ContractKind::automatic, kReturned, "\x89PNG"),
            "200 application/octet-stream \x89PNG");
}

TEST(Contract, CgiTakesOutputWithoutAHeaderAsItIs) {
  EXPECT_EQ(shaped(ContractKind::cgi, kReturned, "{}"), "200 text/plain; charset=utf-8 {}");
  EXPECT_EQ(shaped(ContractKind::cgi, kReturned, "Location: /x\n\n"), "302  ");
  EXPECT_EQ(reason(ContractKind::cgi, kExit3, "{}"), "exit");
}

TEST(Contract, PrepareGivesDataNothingButDataAndEnv) {
  TestCall test;
  test.revision.contract = ContractKind::data;
  test.revision.manifest.input = {{"name", "\"zztkm\""}};
  test.revision.manifest.env = {{"GREETING", "hello"}};
  test.fields = {{"X-Who", "ada"}};
  test.body = "stdin";
  using Environment = std::map<std::string, std::string>;
  EXPECT_EQ(test.environment(),
            (Environment{{"DATA", R"({"name":"zztkm"})"}, {"GREETING", "hello"}}));
  const auto prepared = prepare(test.call());
  EXPECT_EQ(std::get<Prepared>(prepared).stdin_bytes, "stdin");
  EXPECT_EQ(std::get<Prepared>(prepared).input.args.strings(),
            std::vector<std::string_view>{"hello"});
  test.revision.contract = ContractKind::automatic;
  EXPECT_EQ(test.environment().at("HTTP_X_WHO"), "ada");
  EXPECT_EQ(test.environment().at("DATA"), R"({"name":"zztkm"})");
  test.set_schema(test.revision.response_schema, kItem);
  EXPECT_FALSE(test.environment().contains("HTTP_X_WHO"));
}

TEST(Contract, PrepareTellsWhatIsWrongWithTheInput) {
  TestCall test;
  test.head.query = "a=%";
  EXPECT_EQ(std::get<Failure>(prepare(test.call())).reason, Reason::bad_request);
  test.revision.manifest.input = {{"age", "1"}};
  test.head.query = "age=x";
  EXPECT_EQ(std::get<Failure>(prepare(test.call())).reason, Reason::bad_input);
}

TEST(Contract, CgiGetsNoDataWhereTheRequestIsNone) {
  TestCall test;
  test.revision.contract = ContractKind::cgi;
  test.set_body("application/json", "{oops");
  EXPECT_FALSE(test.environment().contains("DATA"));
  EXPECT_EQ(test.environment().at("CONTENT_LENGTH"), "5");
  test.body = R"({"a":1})";
  EXPECT_EQ(test.environment().at("DATA"), R"({"a":1})");
  test.body = "{oops";
  test.set_schema(test.revision.request_schema, "{}");
  EXPECT_EQ(std::get<Failure>(prepare(test.call())).reason, Reason::bad_request);
}

TEST(Contract, ContractsThatAreNotServedFail) {
  for (const ContractKind contract : {ContractKind::wasi_http}) {
    TestCall test;
    test.revision.contract = contract;
    EXPECT_EQ(std::get<Failure>(prepare(test.call())).reason, Reason::internal);
    EXPECT_EQ(reason(contract, kReturned, "{}"), "internal");
  }
}

TEST(Contract, WhoCannotAskForAnEnvironmentIsGivenNone) {
  for (const ContractKind contract :
       {ContractKind::automatic, ContractKind::data, ContractKind::cgi, ContractKind::wws}) {
    TestCall test;
    test.revision.contract = contract;
    test.revision.manifest.env = {{"GREETING", "hello"}};
    test.set_body("application/octet-stream", "body");
    Call call = test.call();
    EXPECT_NE(std::get<Prepared>(prepare(call)).input.env.count(), 0U);
    call.asks_for_environment = false;
    const auto prepared = std::get<Prepared>(prepare(call));
    EXPECT_EQ(prepared.input.env.count(), 0U);
    EXPECT_EQ(prepared.input.args.count(), 0U);
    EXPECT_TRUE(prepared.stdin_bytes == "body" || contract == ContractKind::wws);
  }
}

TEST(Contract, WhatIsNoDataIsRefusedWhoeverAsks) {
  TestCall test;
  test.revision.contract = ContractKind::data;
  test.head.query = "a=%";
  Call call = test.call();
  call.asks_for_environment = false;
  EXPECT_EQ(std::get<Failure>(prepare(call)).reason, Reason::bad_request);
}

TEST(Contract, AReactorGetsDataOnStdinAndItsEnvironmentOnly) {
  TestCall test;
  test.revision.contract = ContractKind::reactor;
  test.revision.is_reactor = true;
  test.revision.manifest.input = {{"age", "20"}};
  test.revision.manifest.env = {{"GREETING", "hi"}};
  test.head.query = "age=36";
  const auto prepared = std::get<Prepared>(prepare(test.call()));
  EXPECT_EQ(prepared.document, R"({"age":36})");
  EXPECT_EQ(prepared.input.env.strings(), std::vector<std::string_view>{"GREETING=hi"});
  EXPECT_EQ(shaped(ContractKind::reactor, kReturned, R"({"a":1})"),
            R"(200 application/json {"a":1})");
  EXPECT_EQ(shaped(ContractKind::reactor, kReturned, R"({"age":"20","name":"n"})", kItem),
            R"(200 application/json {"name":"n","age":20})");
}

TEST(Contract, DataFailsInTheArticlesStyle) {
  TestCall test;
  EXPECT_EQ(style_for(test.revision, ErrorStyle::precise), ErrorStyle::precise);
  EXPECT_EQ(style_for(test.revision, ErrorStyle::bad_request), ErrorStyle::bad_request);
  test.set_schema(test.revision.response_schema, kItem);
  EXPECT_EQ(style_for(test.revision, ErrorStyle::precise), ErrorStyle::bad_request);
  test.revision.response_schema = nullptr;
  test.revision.contract = ContractKind::data;
  EXPECT_EQ(style_for(test.revision, ErrorStyle::precise), ErrorStyle::bad_request);
  test.revision.contract = ContractKind::cgi;
  EXPECT_EQ(style_for(test.revision, ErrorStyle::precise), ErrorStyle::precise);
}

}  // namespace
}  // namespace funcd::contract
