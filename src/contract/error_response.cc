#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"
#include "contract/contract.h"
#include "registry/json_document.h"

namespace funcd::contract {
namespace {

// Seconds after which a client that met a full server may ask again.
constexpr std::string_view kRetryAfter = "1";

// What clients are told of a fault that is the server's own: its words may name what is on the
// host, and stay in the log.
constexpr std::string_view kInternal =
    "the server could not run it; the log says why, under this invocation";

void append_text(std::string& out, std::string_view text) {
  if (is_utf8(text)) return registry::append_json_string(out, text);
  std::string readable;
  for (std::size_t size = 0; !text.empty(); text.remove_prefix(std::max<std::size_t>(size, 1))) {
    size = utf8_size(text);
    readable.append(size == 0 ? "?" : text.substr(0, size));
  }
  registry::append_json_string(out, readable);
}

}  // namespace

http::Response error_response(const Failure& failure, ErrorStyle style,
                              std::string_view invocation_id) {
  CHECK(failure.reason != Reason::none);
  http::Response response;
  response.content_type = "application/json";
  CHECK(response.fields.add("funcd-error", name_of(failure.reason)));
  if (failure.reason == Reason::overloaded || failure.reason == Reason::building) {
    CHECK(response.fields.add("retry-after", kRetryAfter));
  }
  if (style == ErrorStyle::bad_request) {
    response.status = 400;
    response.body = R"({"detail":"Bad Request"})";
    return response;
  }
  response.status = status_of(failure.reason);
  response.body = R"({"detail":)";
  append_text(response.body, failure.reason == Reason::internal ? kInternal : failure.detail);
  response.body += R"(,"reason":)";
  registry::append_json_string(response.body, name_of(failure.reason));
  response.body += R"(,"invocation":)";
  append_text(response.body, invocation_id);
  response.body += '}';
  return response;
}

}  // namespace funcd::contract
