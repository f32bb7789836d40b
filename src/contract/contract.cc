#include "contract/contract.h"

#include <utility>

#include "contract/cgi_input.h"
#include "contract/cgi_output.h"
#include "contract/data_input.h"
#include "contract/json_text.h"

namespace funcd::contract {
namespace {

using registry::ContractKind;

// The article's own contract: named, or meant by a schema for the output.
bool is_data(const registry::Revision& revision) {
  return revision.contract == ContractKind::data || revision.response_schema != nullptr;
}

// Ends after which there is no output to speak of.
std::optional<Failure> failure_of(const engine::Ending& ending) {
  switch (ending.kind) {
    case engine::EndKind::returned:
    case engine::EndKind::exited:
      return std::nullopt;
    case engine::EndKind::trapped:
      return Failure{Reason::trap, ending.message};
    case engine::EndKind::time_limit:
      return Failure{Reason::time_limit, ending.message};
    case engine::EndKind::memory_limit:
      return Failure{Reason::memory_limit, ending.message};
    case engine::EndKind::output_limit:
      return Failure{Reason::output_too_large, ending.message};
    case engine::EndKind::failed:
      return Failure{Reason::internal, ending.message};
  }
  return Failure{Reason::internal, ending.message};
}

http::Response json_response(std::string body) {
  http::Response response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

// Passes the text on as it is, but for white space around it.
http::Response trimmed_json_response(std::string out) {
  const std::string_view text = trim_json(out);
  if (text.size() == out.size()) return json_response(std::move(out));
  return json_response(std::string(text));
}

std::variant<http::Response, Failure> shape_data(const registry::Revision& revision,
                                                 std::string out) {
  if (!is_json(out)) {
    return Failure{Reason::bad_output, out.empty() ? "it printed nothing" : "it printed no JSON"};
  }
  if (!revision.response_schema) return trimmed_json_response(std::move(out));
  auto conforming = revision.response_schema->conform(out);
  if (!conforming) return Failure{Reason::bad_output, conforming.error().message};
  return json_response(std::move(*conforming));
}

std::variant<http::Response, Failure> shape_cgi(const engine::Ending& ending, std::string out) {
  if (has_cgi_header(out)) return cgi_response(std::move(out));
  if (ending.exit_code != 0) {
    return Failure{Reason::exit, fmt::format("it exited with code {} and no usable output",
                                             ending.exit_code)};
  }
  return raw_response(std::move(out));
}

std::variant<http::Response, Failure> shape_automatic(const engine::Ending& ending,
                                                      std::string out) {
  if (is_json(out)) return trimmed_json_response(std::move(out));
  if (out.empty() && ending.exit_code == 0) {
    return Failure{Reason::bad_output, "it printed nothing"};
  }
  return shape_cgi(ending, std::move(out));
}

}  // namespace

std::variant<Prepared, Failure> prepare(const Call& call) {
  const registry::Revision& revision = call.revision;
  auto data = data_of(call);
  if (auto* failure = std::get_if<Failure>(&data)) return std::move(*failure);
  Prepared prepared;
  prepared.stdin_bytes = call.body;
  prepared.input.args.add(revision.function->name);
  engine::StringBlock& env = prepared.input.env;
  // First, so that a program that looks a name up finds the operator's value.
  for (const auto& [key, value] : revision.manifest.env) env.add(key, value);
  env.add("DATA", std::get<std::string>(data));
  if (!is_data(revision)) add_cgi_variables(env, call);
  return prepared;
}

std::variant<http::Response, Failure> shape(const Call& call, const engine::Ending& ending,
                                            std::string out) {
  if (auto failure = failure_of(ending)) return std::move(*failure);
  if (is_data(call.revision)) return shape_data(call.revision, std::move(out));
  if (call.revision.contract == ContractKind::cgi) return shape_cgi(ending, std::move(out));
  return shape_automatic(ending, std::move(out));
}

ErrorStyle style_for(const registry::Revision& revision, ErrorStyle server_style) {
  return is_data(revision) ? ErrorStyle::bad_request : server_style;
}

}  // namespace funcd::contract
