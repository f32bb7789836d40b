#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "base/result.h"

namespace funcd::source {

struct WebTimeouts {
  std::chrono::milliseconds connect{5'000};
  std::chrono::seconds stall{15};                // this long without a byte
  std::chrono::milliseconds whole{30 * 60'000};  // all of it
};

struct WebRequest {
  // With which a request is signed (AWS Signature Version 4).
  struct Signature {
    std::string key, secret, region;
  };

  std::string method = "GET";
  std::string url;                  // its path and query are encoded, the query sorted by name
  std::vector<std::string> fields;  // "x-amz-meta-name: value"
  std::span<const std::uint8_t> body;
  std::optional<Signature> signature;
  WebTimeouts timeouts;
  bool has_proxy = true;  // may go through the proxy that the environment names
  // Gets the body of an answer with status 200 or 206, piece by piece; an error ends the request.
  // Told the status and the fields before the first piece. Empty: the body is kept.
  std::function<Result<>(int status, const std::map<std::string, std::string>& fields)> on_head;
  std::function<Result<>(std::span<const std::uint8_t>)> on_body;
  std::function<void(std::uint64_t sent, std::uint64_t total)> on_sent;  // of `body`
  std::uint64_t body_bytes_max = 16ULL << 20;                            // of a body that is kept
};

struct WebResponse {
  int status = 0;
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;

  // Of a field, or "".
  [[nodiscard]] std::string field(const std::string& name) const;
};

// Why there is no answer.
struct WebError {
  std::string message;       // "cannot connect to 127.0.0.1:7070: connection refused"
  bool is_ours = false;      // no request can be sent from here
  bool is_sinks = false;     // what on_head or on_body said
  bool is_stopped = false;   // by the stop token
  bool is_distrust = false;  // the server's certificate is not one to trust
};

// One connection at a time to servers that are asked, kept open between requests. For one thread.
class WebClient {
 public:
  WebClient();
  ~WebClient();
  WebClient(WebClient&&) noexcept;
  WebClient& operator=(WebClient&&) noexcept;

  // Waits for the answer, whatever its status is. Redirects are answers too.
  [[nodiscard]] tl::expected<WebResponse, WebError> send(const WebRequest& request,
                                                         const std::stop_token& stop);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;  // from the first request on
};

}  // namespace funcd::source
