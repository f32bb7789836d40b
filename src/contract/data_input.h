#pragma once

#include <string>
#include <variant>

#include "contract/contract.h"

namespace funcd::contract {

// DATA of a call, compact JSON: the sidecar's [input], then the query, then the path's parameters,
// then a JSON or form body. Checked against the request schema where there is one.
[[nodiscard]] std::variant<std::string, Failure> data_of(const Call& call);

}  // namespace funcd::contract
