#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "http/exchange.h"

namespace funcd::invoke {

// The body of an invocation's request, as its run takes it: all there, or fetched from the exchange
// part by part, the next when the last one is used up. Owned by the invocation, which passes on
// what the exchange says.
class RequestBody {
 public:
  explicit RequestBody(http::Exchange& exchange) : exchange_(exchange) {}

  // It was read whole.
  void set_whole(std::string_view body) {
    part_ = whole_ = body;
    bytes_ = body.size();
  }
  // What of it, or in its place, the guest finds on stdin.
  void present(std::string_view stdin_bytes) { part_ = stdin_bytes; }
  // It is to come in parts. error() is there at once when it says that it is longer.
  void stream(std::uint64_t bytes_max) {
    is_in_parts_ = true;
    is_ended_ = !exchange_.head().has_body;
    exchange_.stream_body(static_cast<std::size_t>(bytes_max));
  }
  // Asks for the next part if there is nothing left of this one.
  void fetch() {
    if (!is_in_parts_ || is_asked_ || is_ended() || error_ || !part_.empty()) return;
    is_asked_ = true;
    exchange_.more_body();
  }

  // Of the exchange.
  void on_part(std::string_view part) {
    is_asked_ = false;
    part_ = part;
    bytes_ += part.size();
    // Nothing has to be asked for to know that this was the last.
    is_ended_ = bytes_ == exchange_.head().content_length;
  }
  void on_end() {
    is_asked_ = false;
    is_ended_ = true;
  }
  void on_error(http::BodyError error) {
    is_asked_ = false;
    error_ = error;
  }

  [[nodiscard]] bool is_in_parts() const { return is_in_parts_; }
  // The whole, where it was read so.
  [[nodiscard]] std::string_view whole() const { return whole_; }
  // What lies ready.
  [[nodiscard]] std::string_view part() const { return part_; }
  void consume(std::size_t bytes) { part_.remove_prefix(bytes); }
  // Nothing comes after part().
  [[nodiscard]] bool is_ended() const { return !is_in_parts_ || is_ended_; }
  [[nodiscard]] std::optional<http::BodyError> error() const { return error_; }
  // What has come after it, once it has ended.
  [[nodiscard]] std::span<const http::Field> trailers() const { return exchange_.trailers(); }
  // What has come of it.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  http::Exchange& exchange_;
  std::string_view whole_;
  std::string_view part_;
  std::uint64_t bytes_ = 0;
  bool is_in_parts_ = false;
  bool is_asked_ = false;
  bool is_ended_ = false;
  std::optional<http::BodyError> error_;
};

}  // namespace funcd::invoke
