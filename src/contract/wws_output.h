#pragma once

#include <string_view>
#include <variant>

#include "contract/contract.h"

namespace funcd::contract {

// What the answer of a program for wasm-workers-server means.
struct WwsAnswer {
  http::Response response;
  storage::KvChange kv;  // what it has changed of its store
};

// Reads {"data", "base64", "headers", "status", "kv"}; each may be missing, other members are
// passed over. A header's value is a string, or an array of strings for a field that repeats; names
// are sent as they are. Without `kv` the store stays as it is. What is no such object, a status
// that no final response can have, data that is no base64 though it says so, and a field that
// would break the header are bad_output.
[[nodiscard]] std::variant<WwsAnswer, Failure> wws_answer(std::string_view out,
                                                          const storage::KvMap& kv);

}  // namespace funcd::contract
