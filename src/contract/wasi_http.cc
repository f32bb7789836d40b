#include "contract/wasi_http.h"

#include <fmt/format.h>

#include "contract/status.h"

namespace funcd::contract {
namespace {

constexpr std::string_view kOwnField = "funcd-error";

// Origin form of an absolute target, too.
std::string_view path_with_query(const http::RequestHead& head) {
  if (!head.query.empty() && head.path.data() + head.path.size() + 1 == head.query.data()) {
    return {head.path.data(), head.path.size() + 1 + head.query.size()};
  }
  return head.path;
}

}  // namespace

std::span<const engine::HttpRequestHead::Field> component_fields(
    std::span<const http::Field> from, std::vector<engine::HttpRequestHead::Field>& fields) {
  fields.reserve(from.size());
  for (const http::Field& field : from) fields.push_back({field.name, field.value});
  return fields;
}

engine::HttpRequestHead component_request(const http::RequestHead& head,
                                          std::vector<engine::HttpRequestHead::Field>& fields) {
  return {.method = head.method,
          .scheme = "http",
          .authority = head.host,
          .path_with_query = path_with_query(head),
          .fields = component_fields(head.fields, fields),
          .has_body = head.has_body};
}

std::variant<http::Response, Failure> component_response(const engine::HttpResponseHead& head) {
  if (!is_final_status(head.status)) {
    return Failure{Reason::bad_output,
                   fmt::format("its status {} is not one from 200 to 599", head.status)};
  }
  http::Response response;
  response.status = head.status;
  for (const engine::HttpField& field : head.fields) {
    if (field.name == kOwnField) continue;
    if (!response.fields.add(field.name, field.value)) {
      return Failure{Reason::bad_output,
                     fmt::format("its field {} has a control character in its value", field.name)};
    }
  }
  return response;
}

http::FieldBlock component_trailers(const std::vector<engine::HttpField>& trailers) {
  http::FieldBlock block;
  for (const engine::HttpField& field : trailers) {
    if (field.name != kOwnField) (void)block.add(field.name, field.value);
  }
  return block;
}

}  // namespace funcd::contract
