#pragma once

#include <optional>
#include <string>

#include "contract/contract.h"

namespace funcd::contract {

// Appends the document that a program for wasm-workers-server reads from stdin: url, method,
// headers, body, base64, params, kv. Names of fields are in lower case; fields of one name become
// one value, as for CGI. A body that is no UTF-8 comes in base64, and `base64` says so. A value of
// a field that is no UTF-8 is taken as ISO 8859-1. A parameter that is no UTF-8 is a bad_request.
[[nodiscard]] std::optional<Failure> append_wws_document(const Call& call, std::string& out);

}  // namespace funcd::contract
