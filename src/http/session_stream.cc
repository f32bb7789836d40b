// What a session does for those who take the body of a request, or give that of a response, in
// parts.

#include <array>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "http/session.h"

namespace funcd::http {
namespace {

// Whether the client has said that it takes trailers (RFC 9110 10.1.4).
bool takes_trailers(const RequestHead& head) {
  for (const Field& field : head.fields) {
    if (!equals_ignoring_case(field.name, "te")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      const std::string_view item = trimmed(rest.substr(0, comma));
      rest.remove_prefix(comma == rest.npos ? rest.size() : comma + 1);
      if (equals_ignoring_case(item, "trailers")) return true;
    }
  }
  return false;
}

}  // namespace

void Session::stream_body(std::size_t bytes_max) {
  CHECK(phase_ == Phase::handling && listener_ != nullptr && !is_body_wanted_);
  is_body_wanted_ = is_body_streamed_ = true;
  // Parts lie in a buffer of their own, so that this one does not grow with the body.
  in_.pin_no_further();
  if (!body_.stream(bytes_max)) give_body_error(BodyError::too_large);
}

void Session::more_body() {
  CHECK(phase_ == Phase::handling && is_body_streamed_ && !is_part_asked_ && !is_body_given_);
  is_part_asked_ = true;
  body_.next_part();
  // What is there is given at once, so that a handler that is called first thing has it too.
  if (is_running_) return static_cast<void>(give_part());
  run_for_handler();
}

void Session::run_for_handler() {
  if (is_running_) return;
  const std::shared_ptr<Session> self = shared_from_this();
  const bool is_nested = std::exchange(is_called_by_handler_, true);
  run(NextRequest::later);
  is_called_by_handler_ = is_nested;
}

bool Session::give_part() {
  const BodyReader::Progress progress = body_.pull(in_);
  if (progress == BodyReader::Progress::too_large) {
    give_body_error(BodyError::too_large);
  } else if (progress == BodyReader::Progress::malformed) {
    give_body_error(BodyError::malformed);
  } else if (!body_.part().empty()) {
    is_part_asked_ = false;
    listener_->on_body_part(body_.part());
  } else if (progress == BodyReader::Progress::complete) {
    is_part_asked_ = false;
    is_body_given_ = true;
    listener_->on_body_end();
  } else {
    return false;
  }
  return true;
}

void Session::give_body_error(BodyError error) {
  is_body_given_ = is_body_bad_ = true;
  is_part_asked_ = false;
  listener_->on_body_error(error);
}

void Session::send_continue() {
  if (!parser_.expects_continue() || is_continue_sent_ || body_.has_begun() || is_begun_) return;
  is_continue_sent_ = true;
  output_.append("HTTP/1.1 100 Continue\r\n\r\n");
}

bool Session::must_close_after_parts() const {
  if (!parser_.wants_keep_alive() || host_.is_draining || is_body_bad_) return true;
  // See must_close_after_response().
  return !body_.is_complete() && parser_.expects_continue() && !is_continue_sent_;
}

bool Session::begin(Response head, std::optional<std::uint64_t> content_length) {
  CHECK(phase_ == Phase::handling && listener_ != nullptr && !is_begun_);
  // It may be wanted still, and cannot be asked for after the head.
  if (is_body_streamed_ && !is_body_given_ && !body_.is_complete()) send_continue();
  is_begun_ = true;
  const bool is_until_close = parser_.head().version_minor == 0 && !content_length;
  is_last_ = is_until_close || must_close_after_parts();
  ResponseContext context = context_for(is_last_, head_.method);
  context.content_length = content_length;
  framing_ = output_.begin(head, context);
  body_left_ = content_length.value_or(0);
  return write(head.body);
}

bool Session::write(std::string_view bytes) {
  CHECK(is_begun_ && !is_writable_wanted_ && bytes.size() <= kWriteBytesMax);
  append_body(bytes);
  is_writable_wanted_ = !flush_for_handler();
  return !is_writable_wanted_;
}

void Session::append_body(std::string_view bytes) {
  if (bytes.empty()) return;
  switch (framing_) {
    case BodyFraming::none:
      return;
    case BodyFraming::until_close:
      return output_.append(bytes);
    case BodyFraming::length:
      if (bytes.size() > body_left_) {
        // The rest would be taken for the next response.
        is_body_broken_ = true;
        bytes = bytes.substr(0, static_cast<std::size_t>(body_left_));
      }
      body_left_ -= bytes.size();
      return output_.append(bytes);
    case BodyFraming::chunked: {
      constexpr int kHexadecimal = 16;
      std::array<char, 16> size{};
      const auto end =
          std::to_chars(size.data(), size.data() + size.size(), bytes.size(), kHexadecimal);
      output_.append({size.data(), end.ptr});
      output_.append("\r\n");
      output_.append(bytes);
      output_.append("\r\n");
    }
  }
}

bool Session::flush_for_handler() {
  const bool is_nested = std::exchange(is_called_by_handler_, true);
  const bool is_all_sent = flush();
  is_called_by_handler_ = is_nested;
  return is_all_sent;
}

void Session::end(std::string_view bytes, const FieldBlock& trailers) {
  CHECK(phase_ == Phase::handling && is_begun_ && bytes.size() <= kEndBytesMax);
  append_body(bytes);
  if (is_body_broken_ || (framing_ == BodyFraming::length && body_left_ > 0)) return abort();
  if (framing_ == BodyFraming::chunked) {
    output_.append("0\r\n");
    if (!trailers.empty() && takes_trailers(head_)) output_.append(trailers.bytes());
    output_.append("\r\n");
  }
  leave_exchange(is_last_ || must_close_after_response());
}

void Session::abort() {
  CHECK(phase_ == Phase::handling && listener_ != nullptr);
  const std::shared_ptr<Session> self = shared_from_this();
  if (!is_begun_ || framing_ != BodyFraming::until_close) return leave_exchange(true);
  reset_on_close();
  listener_ = nullptr;
  phase_ = Phase::finishing;
  close();
}

void Session::reset_on_close() {
  boost::system::error_code ignored;
  socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
}

}  // namespace funcd::http
