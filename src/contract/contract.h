#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "engine/guest.h"
#include "http/exchange.h"
#include "http/message.h"
#include "registry/catalog.h"
#include "storage/kv_map.h"
#include "telemetry/reason.h"

namespace funcd::contract {

// One request as a contract sees it. Views; all outlive the call.
struct Call {
  const registry::Revision& revision;
  const http::RequestHead& head;
  std::span<const registry::PathParam> params;
  std::string_view body;
  // The body goes to stdin in parts, and is not here.
  bool is_body_in_parts = false;
  const storage::KvMap* kv = nullptr;  // the function's store; null where its contract has none
  // The guest can ask for arguments and environment; else it is given none.
  bool asks_for_environment = true;
};

// Why there is no proper response: the word for machines, the sentence for people.
struct Failure {
  Reason reason = Reason::none;
  std::string detail;
};

// What a guest is started with for a call.
struct Prepared {
  engine::GuestInput input;      // arguments and environment
  std::string_view stdin_bytes;  // of the call, where there is no document
  std::string document;          // for stdin, where the contract has one of its own
};

// The guest's input for this call, under the contract that its revision has.
[[nodiscard]] std::variant<Prepared, Failure> prepare(const Call& call);

// Whether the request's body goes to the guest as it comes. Else it is read whole first, as DATA, a
// schema or a document on stdin is made of it.
[[nodiscard]] bool takes_body_in_parts(const registry::Revision& revision,
                                       const http::RequestHead& head);

// Whether a CGI header block on stdout begins the response before the guest's end.
[[nodiscard]] bool may_stream(const registry::Revision& revision);

// The response that the guest's output means, or why it means none. `out` is what it wrote to
// stdout; `kv` takes what it has changed of its store.
[[nodiscard]] std::variant<http::Response, Failure> shape(const Call& call,
                                                          const engine::Ending& ending,
                                                          std::string out, storage::KvChange& kv);

// Why output does not count after a guest has ended so; nothing after a proper end.
[[nodiscard]] std::optional<Failure> failure_of(const engine::Ending& ending);

// Of output that is of no use: after an exit code other than 0 that is the reason to tell.
[[nodiscard]] Failure unusable(const engine::Ending& ending, std::string why);

// What a request body that could not be had means.
[[nodiscard]] Failure failure_of(http::BodyError error, std::uint64_t bytes_max);

// How failures look: `precise` gives each reason its status, `bad_request` is the plain
// 400 {"detail":"Bad Request"} for all.
enum class ErrorStyle : std::uint8_t { precise, bad_request };

// The style under which a revision's failures are shown: its own contract may ask for bad_request.
[[nodiscard]] ErrorStyle style_for(const registry::Revision& revision, ErrorStyle server_style);

// Body {"detail","reason","invocation"} and the header funcd-error; `retry-after` when overloaded.
[[nodiscard]] http::Response error_response(const Failure& failure, ErrorStyle style,
                                            std::string_view invocation_id);

}  // namespace funcd::contract
