#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "contract/contract.h"

namespace funcd::contract {

// Appends DATA, the JSON text that a function gets in its environment: the defaults of `[input]`,
// over them the query, the path parameters and the body, in the order of the defaults and then of
// appearance. A value takes the type of the default that it replaces, else the one that the request
// schema names, else it is a string; a repeated key makes an array. A JSON body that is no object
// is DATA itself. Then the whole must fit the request schema.
//
// A failure is bad_request for what cannot be read (an escape, UTF-8, JSON), bad_input for what
// cannot take its type or does not fit; `out` is of no use then.
[[nodiscard]] std::optional<Failure> append_data(const Call& call, std::string& out);

// Of a query, and of a form; one more is a bad_request.
inline constexpr std::size_t kPairsMax = 1'000;

}  // namespace funcd::contract
