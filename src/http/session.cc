#include "http/session.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <ctime>
#include <span>
#include <utility>

#include "base/check.h"

namespace funcd::http {
namespace {

using std::chrono::milliseconds;

// Of a body that nobody has read: more than this costs more than a new connection.
constexpr std::size_t kDiscardBytesMax = 64 * 1024;
// Pipelined requests of one connection that are begun before the others have their turn.
constexpr int kRequestsPerTurn = 16;
// After the last response the client is given this to read it (RFC 9112 9.6).
constexpr milliseconds kLingerTimeout{3'000};
// A connection that has never had a request is given this when the server drains: its first one
// may be on the way.
constexpr milliseconds kDrainGrace{500};

constexpr Refusal kHeadTimeout{408, "request-timeout",
                               "the head of the request did not arrive in time"};

// Behind by some milliseconds and much cheaper, which suits time limits of seconds.
TimePoint coarse_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return TimePoint(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace

Session::Session(SessionHost& host, Socket socket, std::string remote_address,
                 std::uint16_t remote_port)
    : host_(host),
      socket_(std::move(socket)),
      remote_address_(std::move(remote_address)),
      remote_port_(remote_port),
      in_(host.blocks),
      parser_({.header_bytes_max = host.options.header_bytes_max,
               .fields_max = host.options.fields_max,
               .target_bytes_max = host.options.target_bytes_max}),
      body_held_(host.held),
      output_(socket_, host.counters, host.held, host.spare_output),
      timer_(host.loop.timers(), this, &Session::on_timer) {}

void Session::start() {
  run(NextRequest::now);
}

void Session::drain() {
  if (phase_ != Phase::head || !in_.unread().empty() || output_.is_waiting()) return;
  boost::system::error_code error;
  if (socket_.available(error) > 0) return;
  if (is_used_) return close();
  set_deadline(Wait::idle, coarse_now() + kDrainGrace);
}

void Session::close() {
  if (phase_ == Phase::closed) return;
  const std::shared_ptr<Session> self = shared_from_this();
  const bool is_in_flight = phase_ == Phase::handling;
  if (is_in_flight && is_begun_ && framing_ == BodyFraming::until_close) reset_on_close();
  phase_ = Phase::closed;
  timer_.disarm();
  boost::system::error_code ignored;
  socket_.close(ignored);
  body_held_.hold(0);
  output_.give_up();
  if (is_in_flight) host_.counters.hangups.add();
  host_.on_closed(*this);
  if (!is_in_flight) return;
  if (listener_ != nullptr) {
    std::exchange(listener_, nullptr)->on_hangup();
  } else {
    kept_for_respond_ = self;
  }
}

void Session::run(NextRequest next) {
  if (is_running_) return;
  is_running_ = true;
  requests_in_turn_ = 0;
  while (phase_ != Phase::closed) {
    const bool is_stuck = output_.is_waiting() || (output_.is_full() && !flush());
    // A body can go on coming in while the client does not take its response.
    if (is_stuck && !(phase_ == Phase::handling && is_part_asked_)) break;
    if (!step(next)) break;
  }
  is_running_ = false;
}

void Session::run_later() {
  if (is_run_posted_) return;
  is_run_posted_ = true;
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->is_run_posted_ = false;
    self->run(NextRequest::now);
  });
}

bool Session::step(NextRequest next) {
  switch (phase_) {
    case Phase::head:
      return step_head(next);
    case Phase::handling:
      return step_handling();
    case Phase::discarding:
      return step_discarding();
    case Phase::finishing:
      return step_finishing();
    case Phase::lingering:
      start_read();
      return false;
    case Phase::closed:
      return false;
  }
  return false;
}

bool Session::step_head(NextRequest next) {
  const std::string_view unread = in_.unread();
  if (unread.empty()) return wait_for_head();
  if (next == NextRequest::later || requests_in_turn_ == kRequestsPerTurn) {
    if (flush()) run_later();
    return false;
  }
  switch (parser_.parse_head(unread)) {
    case RequestParser::HeadProgress::need_more:
      return wait_for_head();
    case RequestParser::HeadProgress::refused:
      refuse(parser_.refusal());
      return true;
    case RequestParser::HeadProgress::complete:
      begin_exchange();
      return true;
  }
  return false;
}

bool Session::wait_for_head() {
  if (!flush()) return false;
  if (is_peer_done_) {
    close();
    return false;
  }
  if (!in_.unread().empty()) {
    if (!is_head_timed_) {
      is_head_timed_ = true;
      head_deadline_ = coarse_now() + host_.options.header_timeout;
    }
    set_deadline(Wait::head, head_deadline_);
  } else if (host_.is_draining) {
    if (is_used_) {
      phase_ = Phase::finishing;
      return true;
    }
    set_deadline(Wait::idle, coarse_now() + kDrainGrace);
  } else {
    set_deadline(Wait::idle, coarse_now() + host_.options.idle_timeout);
  }
  start_read();
  return false;
}

void Session::begin_exchange() {
  in_.pin();
  in_.consume(parser_.head_bytes());
  body_.begin(parser_);
  head_ = parser_.head();
  head_.remote_address = remote_address_;
  head_.remote_port = remote_port_;
  phase_ = Phase::handling;
  ++requests_in_turn_;
  listener_ = nullptr;
  is_body_wanted_ = is_body_given_ = is_body_bad_ = is_continue_sent_ = false;
  is_body_streamed_ = is_part_asked_ = is_begun_ = is_last_ = false;
  is_writable_wanted_ = is_body_broken_ = false;
  is_head_timed_ = false;
  is_used_ = true;
  // Kept out of clock readings: no limit of ours runs while the handler works.
  waiting_for_ = Wait::nothing;
  host_.counters.requests.add();
  if (head_.path == "*") {
    // OPTIONS of the server as a whole is a ping (RFC 9110 9.3.7).
    respond(Response{.status = 204, .content_type = {}, .fields = {}, .body = {}});
  } else {
    host_.handler.on_request(*this);
  }
}

bool Session::step_handling() {
  if (is_body_wanted_ && !is_body_streamed_ && !is_body_given_) return step_body();
  if (is_part_asked_) {
    if (give_part()) return true;
    send_continue();
  }
  const bool is_all_sent = flush();
  if (phase_ == Phase::closed || (!is_all_sent && !is_part_asked_)) return false;
  if (is_all_sent) {
    if (is_peer_done_) {
      on_connection_lost();
      return false;
    }
    if (is_writable_wanted_) {
      is_writable_wanted_ = false;
      listener_->on_writable();
      return true;
    }
    waiting_for_ = Wait::nothing;
    if (is_part_asked_) set_deadline(Wait::body, coarse_now() + host_.options.body_timeout);
  }
  if (!is_peer_done_) start_read();
  return false;
}

bool Session::step_body() {
  switch (body_.pull(in_)) {
    case BodyReader::Progress::complete:
      is_body_given_ = true;
      listener_->on_body(body_.body());
      return true;
    case BodyReader::Progress::too_large:
      give_body_error(BodyError::too_large);
      return true;
    case BodyReader::Progress::malformed:
      give_body_error(BodyError::malformed);
      return true;
    case BodyReader::Progress::need_more:
      break;
  }
  if (!body_held_.try_hold(body_.held_bytes())) {
    give_body_error(BodyError::no_room);
    return true;
  }
  send_continue();
  if (!flush()) return false;
  if (is_peer_done_) {
    on_connection_lost();
    return false;
  }
  set_deadline(Wait::body, coarse_now() + host_.options.body_timeout);
  start_read();
  return false;
}

bool Session::step_discarding() {
  switch (body_.pull(in_)) {
    case BodyReader::Progress::complete:
      end_exchange();
      return true;
    case BodyReader::Progress::too_large:
    case BodyReader::Progress::malformed:
      phase_ = Phase::finishing;
      return true;
    case BodyReader::Progress::need_more:
      break;
  }
  if (!flush()) return false;
  if (is_peer_done_) {
    close();
    return false;
  }
  set_deadline(Wait::body, coarse_now() + host_.options.body_timeout);
  start_read();
  return false;
}

bool Session::step_finishing() {
  if (!flush()) return false;
  boost::system::error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  if (error || is_peer_done_) {
    close();
    return false;
  }
  phase_ = Phase::lingering;
  in_.consume(in_.unread().size());
  set_deadline(Wait::linger, coarse_now() + kLingerTimeout);
  return true;
}

void Session::listen(ExchangeListener& listener) {
  CHECK(phase_ == Phase::handling && !is_body_wanted_ && !is_begun_);
  listener_ = &listener;
}

void Session::read_body(std::size_t bytes_max) {
  CHECK(phase_ == Phase::handling && listener_ != nullptr && !is_body_wanted_);
  is_body_wanted_ = true;
  body_.keep(bytes_max);
  run_for_handler();
}

void Session::respond(Response response) {
  if (phase_ == Phase::closed) {
    // The client has gone, which nobody was there to be told.
    const std::shared_ptr<Session> self = std::exchange(kept_for_respond_, nullptr);
    return;
  }
  CHECK(phase_ == Phase::handling, "respond() is called once");
  CHECK(!is_begun_, "a response is given whole or in parts");
  const bool is_last = must_close_after_response();
  write(std::move(response), is_last, head_.method);
  leave_exchange(is_last);
}

void Session::leave_exchange(bool is_last) {
  listener_ = nullptr;
  body_held_.hold(0);
  in_.unpin();
  if (is_last) {
    phase_ = Phase::finishing;
  } else if (body_.is_complete()) {
    end_exchange();
  } else {
    body_.drop(kDiscardBytesMax);
    phase_ = Phase::discarding;
  }
  if (is_running_) return;
  const std::shared_ptr<Session> self = shared_from_this();
  run(NextRequest::later);
}

void Session::end_exchange() {
  phase_ = Phase::head;
  parser_.reset();
}

bool Session::must_close_after_response() const {
  if (!parser_.wants_keep_alive() || host_.is_draining || is_body_bad_) return true;
  if (body_.is_complete()) return false;
  // Whether the client sends its body now that it has a final answer is for it to choose
  // (RFC 9110 10.1.1): what comes next could be either.
  if (parser_.expects_continue() && !is_continue_sent_) return true;
  return body_.missing_bytes_min() > kDiscardBytesMax;
}

ResponseContext Session::context_for(bool is_last, std::string_view method) const {
  return {.is_head_method = method == "HEAD",
          .is_http_1_0 = parser_.head().version_minor == 0,
          .is_last = is_last,
          .date_field = host_.date.at(std::time(nullptr))};
}

void Session::write(Response&& response, bool is_last, std::string_view method) {
  ResponseContext context = context_for(is_last, method);
  const bool is_declared = context.is_head_method && response.head_length;
  context.content_length = is_declared ? *response.head_length : response.body.size();
  output_.write(std::move(response), context);
}

void Session::refuse(const Refusal& refusal) {
  host_.counters.requests_refused.add();
  write(refusal_response(refusal), true, parser_.head().method);
  phase_ = Phase::finishing;
  host_.handler.on_refused(refusal.status);
}

bool Session::flush() {
  if (output_.is_waiting()) return false;
  switch (output_.flush()) {
    case Output::Progress::done:
      if (waiting_for_ == Wait::write) waiting_for_ = Wait::nothing;
      return true;
    case Output::Progress::lost:
      on_connection_lost();
      return false;
    case Output::Progress::advanced:
      set_deadline(Wait::write, coarse_now() + host_.options.write_timeout);
      break;
    case Output::Progress::stuck:
      if (waiting_for_ == Wait::write) break;
      set_deadline(Wait::write, coarse_now() + host_.options.write_timeout);
      break;
  }
  output_.wait([self = shared_from_this()](const boost::system::error_code&) {
    if (self->phase_ == Phase::closed) return;
    if (self->flush()) self->run(NextRequest::now);
  });
  return false;
}

void Session::on_connection_lost() {
  if (phase_ == Phase::handling && is_called_by_handler_) {
    set_deadline(Wait::hangup, coarse_now());
  } else {
    close();
  }
}

void Session::set_deadline(Wait what, TimePoint at) {
  waiting_for_ = what;
  deadline_ = at;
  // Left armed when it would fire too early, as it would for each request on a connection that is
  // kept: then it looks again.
  if (timer_.is_armed() && timer_at_ <= at) return;
  timer_at_ = at;
  timer_.arm(at);
}

void Session::on_timer(void* owner) {
  const std::shared_ptr<Session> self = static_cast<Session*>(owner)->shared_from_this();
  if (self->waiting_for_ == Wait::nothing) return;
  if (Clock::now() < self->deadline_) {
    self->set_deadline(self->waiting_for_, self->deadline_);
  } else {
    self->on_timeout(std::exchange(self->waiting_for_, Wait::nothing));
  }
}

void Session::on_timeout(Wait waited_for) {
  switch (waited_for) {
    case Wait::nothing:
      return;
    case Wait::head:
      host_.counters.timeouts.add();
      refuse(kHeadTimeout);
      return run(NextRequest::now);
    case Wait::body:
      host_.counters.timeouts.add();
      if (phase_ != Phase::handling) return close();
      give_body_error(BodyError::timed_out);
      return run(NextRequest::now);
    case Wait::write:
      host_.counters.timeouts.add();
      return close();
    case Wait::idle:
    case Wait::linger:
    case Wait::hangup:
      return close();
  }
}

}  // namespace funcd::http
