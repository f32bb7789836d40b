#pragma once

#include <span>
#include <variant>
#include <vector>

#include "contract/contract.h"
#include "engine/http_task.h"

namespace funcd::contract {

// Fields as a component is given them; `fields` is what the result borrows, beside `from`.
[[nodiscard]] std::span<const engine::HttpRequestHead::Field> component_fields(
    std::span<const http::Field> from, std::vector<engine::HttpRequestHead::Field>& fields);

// The request as a component sees it; `fields` is what the result borrows, beside `head`.
[[nodiscard]] engine::HttpRequestHead component_request(
    const http::RequestHead& head, std::vector<engine::HttpRequestHead::Field>& fields);

// The response that a component's head begins, still without a body. A status that no final
// response can have and a field that would break the header are bad_output; funcd-error, which is
// the server's word, is left out.
[[nodiscard]] std::variant<http::Response, Failure> component_response(
    const engine::HttpResponseHead& head);

// What trailers may be sent of those that a component gives.
[[nodiscard]] http::FieldBlock component_trailers(const std::vector<engine::HttpField>& trailers);

}  // namespace funcd::contract
