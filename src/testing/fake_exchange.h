#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "http/exchange.h"

namespace funcd::testing {

// An exchange without a connection: a test gives the request, and reads the response from it.
class FakeExchange final : public http::Exchange {
 public:
  FakeExchange(std::string method, std::string path, std::string body = {})
      : method_(std::move(method)), path_(std::move(path)), body_(std::move(body)) {
    head_.method = method_;
    head_.target = path_;
    head_.path = path_;
    head_.host = "127.0.0.1:8000";
    head_.remote_address = "127.0.0.1";
    head_.has_body = !body_.empty();
    if (head_.has_body) head_.content_length = body_.size();
  }

  [[nodiscard]] const http::RequestHead& head() const override { return head_; }
  void listen(http::ExchangeListener& listener) override { listener_ = &listener; }
  void read_body(std::size_t bytes_max) override {
    if (body_.size() > bytes_max) {
      listener_->on_body_error(http::BodyError::too_large);
    } else {
      listener_->on_body(body_);
    }
  }
  void respond(http::Response response) override { response_ = std::move(response); }

  // The client is gone.
  void hang_up() { listener_->on_hangup(); }
  [[nodiscard]] const std::optional<http::Response>& response() const { return response_; }

 private:
  std::string method_;
  std::string path_;
  std::string body_;
  http::RequestHead head_;
  http::ExchangeListener* listener_ = nullptr;
  std::optional<http::Response> response_;
};

}  // namespace funcd::testing
