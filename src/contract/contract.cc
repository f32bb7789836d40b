#include "contract/contract.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "contract/cgi_input.h"
#include "contract/cgi_output.h"
#include "contract/data_input.h"
#include "contract/media_type.h"
#include "contract/wws_input.h"
#include "contract/wws_output.h"
#include "registry/json_document.h"

namespace funcd::contract {
namespace {

using registry::ContractKind;

constexpr std::size_t kDataBytesKept = 64 << 10;
// A body that a program would take in parts, but that DATA could be made of, is read whole up to
// this.
constexpr std::uint64_t kDataBodyBytesMax = 64 << 10;

using Shaped = std::variant<http::Response, Failure>;

// The article's own contract: named, or meant by a schema for the output.
bool is_data(const registry::Revision& revision) {
  const bool is_open =
      revision.contract == ContractKind::automatic || revision.contract == ContractKind::reactor;
  return revision.contract == ContractKind::data ||
         (is_open && revision.response_schema != nullptr);
}

// The contracts that this room knows.
bool is_served(ContractKind contract) {
  return contract == ContractKind::automatic || contract == ContractKind::data ||
         contract == ContractKind::cgi || contract == ContractKind::wws ||
         contract == ContractKind::reactor;
}

// Whether [env] has that name. What the operator says there, no request changes.
bool sets(const registry::Manifest& manifest, std::string_view name) {
  return std::any_of(manifest.env.begin(), manifest.env.end(),
                     [&](const auto& each) { return each.first == name; });
}

// A CGI program may make of query and body what it likes: where they are no DATA, it gets none.
bool does_without_data(const registry::Revision& revision) {
  return revision.contract == ContractKind::cgi && revision.request_schema == nullptr;
}

http::Response json_response(std::string body) {
  http::Response response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

// Passes the text on as it is, but for white space around it.
http::Response trimmed_json_response(std::string out) {
  const std::string_view text = registry::trim_json_space(out);
  if (text.size() == out.size()) return json_response(std::move(out));
  const auto start = static_cast<std::size_t>(text.data() - out.data());
  out.resize(start + text.size());
  out.erase(0, start);
  return json_response(std::move(out));
}

Shaped shape_data(const registry::Revision& revision, const engine::Ending& ending,
                  std::string out) {
  if (registry::trim_json_space(out).empty()) return unusable(ending, "it printed nothing");
  if (!revision.response_schema) {
    if (!registry::is_json(out)) return unusable(ending, "it printed what is no JSON");
    return trimmed_json_response(std::move(out));
  }
  Result<std::string> conforming = revision.response_schema->conform(out);
  if (!conforming)
    return unusable(ending, "its output does not fit: " + conforming.error().message);
  return json_response(std::move(*conforming));
}

Shaped shape_cgi(const Call& call, const engine::Ending& ending, std::string out) {
  if (start_of(out) == OutputStart::header) {
    return cgi_response(std::move(out), call.head.method == "HEAD");
  }
  if (ending.exit_code != 0) return unusable(ending, "left no usable output");
  return raw_response(std::move(out));
}

Shaped shape_wws(const Call& call, const engine::Ending& ending, std::string_view out,
                 storage::KvChange& kv) {
  static const storage::KvMap kNone;
  auto answer = wws_answer(out, call.kv != nullptr ? *call.kv : kNone);
  if (auto* failure = std::get_if<Failure>(&answer)) {
    return unusable(ending, std::move(failure->detail));
  }
  auto& [response, change] = std::get<WwsAnswer>(answer);
  kv = std::move(change);
  return std::move(response);
}

Shaped shape_automatic(const Call& call, const engine::Ending& ending, std::string out) {
  if (out.empty()) return unusable(ending, "it printed nothing");
  if (registry::is_json(out)) return trimmed_json_response(std::move(out));
  return shape_cgi(call, ending, std::move(out));
}

// What a function has whatever it is asked.
void add_own_environment(const Call& call, engine::GuestInput& input) {
  if (!call.asks_for_environment) return;
  input.args.add(call.revision.function->name);
  for (const auto& [key, value] : call.revision.manifest.env) input.env.add(key, value);
}

// DATA is on stdin: arguments and environment are those of its start-up. They are given again,
// because a program may ask for them only now.
std::variant<Prepared, Failure> prepare_reactor(const Call& call) {
  Prepared prepared;
  auto failure = append_data(call, prepared.document);
  if (failure && !does_without_data(call.revision)) return *std::move(failure);
  if (failure) prepared.document.clear();
  add_own_environment(call, prepared.input);
  return prepared;
}

// Everything is in the document; the environment is what the operator says.
std::variant<Prepared, Failure> prepare_wws(const Call& call) {
  Prepared prepared;
  if (auto failure = append_wws_document(call, prepared.document)) return *std::move(failure);
  add_own_environment(call, prepared.input);
  return prepared;
}

}  // namespace

std::variant<Prepared, Failure> prepare(const Call& call) {
  constexpr std::size_t kEnvBytes = 1024;  // what most environments need
  const registry::Revision& revision = call.revision;
  if (!is_served(revision.contract)) {
    return Failure{Reason::internal,
                   fmt::format("contract {} is not served here", name_of(revision.contract))};
  }
  if (revision.contract == ContractKind::wws) return prepare_wws(call);
  if (revision.is_reactor) return prepare_reactor(call);
  // Kept from call to call for its memory; a large one is not.
  thread_local std::string data;
  data.clear();
  auto failure = append_data(call, data);
  if (failure && !does_without_data(revision)) return *std::move(failure);
  Prepared prepared;
  prepared.stdin_bytes = call.body;
  if (!call.asks_for_environment) return prepared;
  prepared.input.args.add(revision.function->name);
  if (revision.contract == ContractKind::cgi) add_cgi_arguments(prepared.input.args, call);
  engine::StringBlock& env = prepared.input.env;
  env.reserve(data.size() + (is_data(revision) ? kEnvBytes / 4 : kEnvBytes));
  for (const auto& [key, value] : revision.manifest.env) env.add(key, value);
  if (!failure && !sets(revision.manifest, "DATA")) env.add("DATA", data);
  if (!is_data(revision)) add_cgi_variables(env, call);
  if (data.capacity() > kDataBytesKept) std::string().swap(data);
  return prepared;
}

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
    case engine::EndKind::exhausted:
      return Failure{Reason::overloaded, ending.message};
    case engine::EndKind::failed:
      return Failure{Reason::internal, ending.message};
  }
  return Failure{Reason::internal, ending.message};
}

Failure unusable(const engine::Ending& ending, std::string why) {
  if (ending.exit_code == 0) return {Reason::bad_output, std::move(why)};
  return {Reason::exit, fmt::format("it exited with code {}, and {}", ending.exit_code, why)};
}

Failure failure_of(http::BodyError error, std::uint64_t bytes_max) {
  switch (error) {
    case http::BodyError::too_large:
      return {Reason::request_too_large,
              fmt::format("the request body is longer than {} bytes", bytes_max)};
    case http::BodyError::timed_out:
      return {Reason::request_timeout, "the request body did not arrive in time"};
    case http::BodyError::malformed:
      return {Reason::bad_request, "the request body is malformed"};
    case http::BodyError::no_room:
      return {Reason::overloaded, "request bodies take as much memory as they may"};
  }
  return {Reason::internal, ""};
}

bool takes_body_in_parts(const registry::Revision& revision, const http::RequestHead& head) {
  if (!head.has_body) return false;
  if (revision.contract == ContractKind::wasi_http) return true;
  if (revision.contract != ContractKind::cgi || revision.request_schema) return false;
  const bool is_data = media_type_of(head.field("content-type").value_or("")) != MediaType::other;
  return !is_data || head.content_length.value_or(UINT64_MAX) > kDataBodyBytesMax;
}

bool may_stream(const registry::Revision& revision) {
  return revision.contract == ContractKind::cgi ||
         (revision.contract == ContractKind::automatic && !is_data(revision));
}

Shaped shape(const Call& call, const engine::Ending& ending, std::string out,
             storage::KvChange& kv) {
  if (auto failure = failure_of(ending)) return *std::move(failure);
  switch (call.revision.contract) {
    case ContractKind::data:
      return shape_data(call.revision, ending, std::move(out));
    case ContractKind::cgi:
      return shape_cgi(call, ending, std::move(out));
    case ContractKind::wws:
      return shape_wws(call, ending, out, kv);
    case ContractKind::automatic:
    case ContractKind::reactor:
      return is_data(call.revision) ? shape_data(call.revision, ending, std::move(out))
                                    : shape_automatic(call, ending, std::move(out));
    default:
      return Failure{Reason::internal, "its contract is not served here"};
  }
}

ErrorStyle style_for(const registry::Revision& revision, ErrorStyle server_style) {
  return is_data(revision) ? ErrorStyle::bad_request : server_style;
}

}  // namespace funcd::contract
