#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
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
  // The body comes chunked, of a length that nobody knows, and as give_part() says.
  void expect_parts() {
    is_body_given_by_test_ = true;
    head_.has_body = true;
    head_.content_length.reset();
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
  void stream_body(std::size_t bytes_max) override {
    if (body_.size() > bytes_max) listener_->on_body_error(http::BodyError::too_large);
  }
  void more_body() override {
    is_asked_ = true;
    if (is_read_when_asked) {
      is_stuck = is_read_when_asked = false;
      take_written();
    }
    if (is_body_given_by_test_) return;
    constexpr std::size_t kPartBytes = 16 * 1024;
    const std::size_t begin = std::exchange(given_, std::min(given_ + kPartBytes, body_.size()));
    given_ > begin ? give_part(body_.substr(begin, given_ - begin)) : end_body();
  }
  void respond(http::Response response) override { response_ = std::move(response); }
  [[nodiscard]] bool begin(http::Response head,
                           std::optional<std::uint64_t> content_length) override {
    streamed_ = std::move(head.body);
    response_ = std::move(head);
    content_length_ = content_length;
    is_begun_ = true;
    return !is_stuck;
  }
  [[nodiscard]] bool write(std::string_view bytes) override {
    CHECK(is_begun_ && bytes.size() <= kWriteBytesMax);
    streamed_ += bytes;
    ++writes_;
    return !is_stuck;
  }
  void end(std::string_view bytes, const http::FieldBlock& trailers) override {
    CHECK(is_begun_ && bytes.size() <= kEndBytesMax);
    streamed_ += bytes;
    trailers_ = trailers.bytes();
    is_ended_ = true;
  }
  void abort() override { is_aborted_ = true; }

  // What a client does.
  void hang_up() { listener_->on_hangup(); }
  void give_part(std::string part) {
    CHECK(std::exchange(is_asked_, false), "nobody has asked");
    part_ = std::move(part);
    listener_->on_body_part(part_);
  }
  void end_body() {
    CHECK(std::exchange(is_asked_, false), "nobody has asked");
    listener_->on_body_end();
  }
  void fail_body(http::BodyError error) {
    CHECK(std::exchange(is_asked_, false), "nobody has asked");
    listener_->on_body_error(error);
  }
  // Reads what was written to it: with is_stuck, writers wait for this.
  void take_written() { listener_->on_writable(); }
  bool is_stuck = false;
  // The client reads just when the next part of its body is asked for.
  bool is_read_when_asked = false;

  [[nodiscard]] bool is_asked() const { return is_asked_; }
  // A whole response, or the head of one in parts.
  [[nodiscard]] const std::optional<http::Response>& response() const { return response_; }
  [[nodiscard]] bool is_begun() const { return is_begun_; }
  [[nodiscard]] bool is_ended() const { return is_ended_; }
  [[nodiscard]] bool is_aborted() const { return is_aborted_; }
  [[nodiscard]] const std::string& streamed() const { return streamed_; }
  [[nodiscard]] const std::string& sent_trailers() const { return trailers_; }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const { return content_length_; }
  [[nodiscard]] int writes() const { return writes_; }

 private:
  std::string method_;
  std::string path_;
  std::string body_;
  std::string part_;
  std::size_t given_ = 0;
  bool is_body_given_by_test_ = false;
  bool is_asked_ = false;
  http::RequestHead head_;
  http::ExchangeListener* listener_ = nullptr;
  std::optional<http::Response> response_;
  std::optional<std::uint64_t> content_length_;
  std::string streamed_;
  std::string trailers_;
  int writes_ = 0;
  bool is_begun_ = false;
  bool is_ended_ = false;
  bool is_aborted_ = false;
};

}  // namespace funcd::testing
