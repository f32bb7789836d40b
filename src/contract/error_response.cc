#include <array>

#include "base/check.h"
#include "contract/contract.h"
#include "contract/json_text.h"

namespace funcd::contract {
namespace {

// Seconds after which a client that met a full server may ask again.
constexpr std::string_view kRetryAfter = "1";

}  // namespace

http::Response error_response(const Failure& failure, ErrorStyle style,
                              std::string_view invocation_id) {
  http::Response response;
  response.content_type = "application/json";
  CHECK(response.fields.add("funcd-error", name_of(failure.reason)));
  if (style == ErrorStyle::bad_request) {
    response.status = 400;
    response.body = R"({"detail":"Bad Request"})";
    return response;
  }
  response.status = status_of(failure.reason);
  if (failure.reason == Reason::overloaded || failure.reason == Reason::building) {
    CHECK(response.fields.add("retry-after", kRetryAfter));
  }
  response.body = R"({"detail":)";
  append_json_string(response.body, failure.detail);
  response.body += R"(,"reason":")";
  response.body += name_of(failure.reason);
  response.body += R"(","invocation":")";
  response.body += invocation_id;
  response.body += R"("})";
  return response;
}

}  // namespace funcd::contract
