#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/contract.h"

namespace funcd::contract {

// A call for tests: a revision without a program and a request head, to be set up member by member.
struct TestCall {
  TestCall() {
    revision.function = std::make_shared<registry::Function>("hello", 1);
    revision.route = "/hello";
    head.method = "GET";
    head.path = "/hello";
    head.host = "127.0.0.1:8000";
    head.remote_address = "127.0.0.1";
    head.remote_port = 54321;
  }

  void set_schema(std::shared_ptr<const registry::JsonSchema>& schema, std::string_view json) {
    schema = registry::JsonSchema::parse(json, "test.schema.json").value();
  }
  void set_body(std::string_view type, std::string_view text) {
    fields.push_back({"Content-Type", type});
    body = text;
    head.has_body = true;
  }

  [[nodiscard]] Call call() {
    head.fields = fields;
    return {.revision = revision, .head = head, .params = params, .body = body};
  }
  // What prepare() puts into the environment; a name that stands twice counts as an error.
  [[nodiscard]] std::map<std::string, std::string> environment() {
    const auto prepared = prepare(call());
    std::map<std::string, std::string> variables;
    for (const std::string_view each : std::get<Prepared>(prepared).input.env.strings()) {
      const std::size_t equals = each.find('=');
      const std::string name(each.substr(0, equals));
      if (!variables.emplace(name, each.substr(equals + 1)).second) variables[name] = "(twice)";
    }
    return variables;
  }

  registry::Revision revision;
  http::RequestHead head;
  std::vector<http::Field> fields;
  std::vector<registry::PathParam> params;
  std::string body;
};

}  // namespace funcd::contract
