#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "contract/contract.h"
#include "http/exchange.h"
#include "invoke/canary_choice.h"

namespace funcd::invoke {

// A response that a run gives in parts: what was said of its length, and what has been sent of it.
// Owned by its run.
class ResponseStream {
 public:
  explicit ResponseStream(http::Exchange& exchange) : exchange_(exchange) {}

  // What the head is to tell the client, before it has begun.
  void keep(CanaryClient client) { client_ = client; }

  // The head, and the first bytes of the body: of any number, what is not sent now stays in
  // `response.body`. A failure, with nothing sent, when they are more than the length allows.
  [[nodiscard]] std::optional<contract::Failure> begin(http::Response& response,
                                                       std::optional<std::uint64_t> content_length);
  // Sends what the client takes off the front of `bytes`.
  [[nodiscard]] std::optional<contract::Failure> write(std::string& bytes);
  // Why a body that ends with these bytes is none, if it is none.
  [[nodiscard]] std::optional<contract::Failure> check_end(std::string_view bytes) const;
  void on_writable() { is_writable_ = true; }

  [[nodiscard]] bool has_begun() const { return status_ != 0; }
  [[nodiscard]] bool is_writable() const { return is_writable_; }
  // Of the response that has begun, else 0.
  [[nodiscard]] int status() const { return status_; }
  // Of the body, so far.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] bool is_longer_with(std::size_t bytes) const {
    return length_ && bytes > *length_ - bytes_;
  }

  http::Exchange& exchange_;
  int status_ = 0;
  bool is_writable_ = false;
  CanaryClient client_;
  std::optional<std::uint64_t> length_;  // that the body must have
  std::uint64_t bytes_ = 0;
};

}  // namespace funcd::invoke
