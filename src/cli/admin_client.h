#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/server.h"

namespace funcd::cli {

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // percent-encoded, with the query
  std::string host;          // the field Host; empty: the server's address
  std::string body;          // JSON; empty: none
  std::chrono::milliseconds timeout{10'000};
};
struct ClientResponse {
  int status = 0;
  std::string reason;  // the field funcd-error; empty without
  std::string body;
};

// One request on a connection of its own; blocks the calling thread. Errors name the address.
[[nodiscard]] Result<ClientResponse> request(const http::Endpoint& server,
                                             const ClientRequest& request);

// A document of a running server's admin API. Errors say how to reach one. Of what the server does
// not have, null or an error.
enum class Missing : std::uint8_t { error, null };
[[nodiscard]] Result<nlohmann::ordered_json> get_json(const http::Endpoint& admin,
                                                      std::string_view target,
                                                      Missing missing = Missing::error);

// The target of a function there.
[[nodiscard]] std::string function_path(std::string_view name);

// Of a document that is of another shape than ours.
[[nodiscard]] tl::unexpected<Error> not_ours(const http::Endpoint& admin,
                                             const nlohmann::ordered_json::exception& error);

}  // namespace funcd::cli
