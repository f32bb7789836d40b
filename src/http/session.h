#pragma once

#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/loop.h"
#include "http/block_pool.h"
#include "http/body_reader.h"
#include "http/byte_buffer.h"
#include "http/exchange.h"
#include "http/handler_memory.h"
#include "http/held_bytes.h"
#include "http/input_buffer.h"
#include "http/output.h"
#include "http/request_parser.h"
#include "http/response_writer.h"
#include "http/server_counters.h"
#include "http/server_options.h"
#include "http/socket.h"

namespace funcd::http {

class Session;

// What the sessions of one server share, and who keeps them. Outlives them, but for what a session
// that was closed still waits for.
struct SessionHost {
  SessionHost(Loop& on, const ServerOptions& with, Handler& to)
      : loop(on), options(with), handler(to), held(with.held_bytes_max) {}

  // The session is closed: the host forgets it. It is gone when its last operation has ended.
  virtual void on_closed(Session& session) = 0;

  Loop& loop;
  const ServerOptions options;
  Handler& handler;
  ServerCounters counters;
  HeldBytes held;
  // Memory to receive to and to send from: of those that do, not of each that is connected.
  BlockPool blocks;
  ByteBuffer spare_output;
  DateField date;
  bool is_draining = false;

 protected:
  ~SessionHost() = default;
};

// One connection: reads requests, one exchange at a time, writes the responses in order. Its host
// and each operation under way keep it; close() makes the operations end and the host forget it.
// It cannot go while one of its own functions runs. The loop's thread only.
//
// A request whose response is given within on_request() costs one receive, one send and asking
// epoll for the next one; a later response costs the same and a receive that finds nothing, which
// is under way meanwhile and tells when the client leaves, unless it has sent so many requests
// after this one that no more are taken in. A client that shuts down its sending side with a
// request in flight is taken for gone.
class Session final : public Exchange, public std::enable_shared_from_this<Session> {
 public:
  Session(SessionHost& host, Socket socket, std::string remote_address, std::uint16_t remote_port);
  ~Session() = default;

  void start();
  // The server drains: closes if idle; what is in flight is answered with `connection: close`.
  void drain();
  // Closes at once. A request in flight gets on_hangup().
  void close();

  std::size_t index_in_host = 0;  // the host's own

  [[nodiscard]] const RequestHead& head() const override { return head_; }
  [[nodiscard]] std::span<const Field> trailers() const override { return parser_.trailers(); }
  void listen(ExchangeListener& listener) override;
  void read_body(std::size_t bytes_max) override;
  void stream_body(std::size_t bytes_max) override;
  void more_body() override;
  [[nodiscard]] bool has_room(std::uint64_t body_bytes) const override {
    return body_bytes <= Output::kSmallBodyBytesMax || host_.held.has_room(body_bytes);
  }
  void respond(Response response) override;
  [[nodiscard]] bool begin(Response head, std::optional<std::uint64_t> content_length) override;
  [[nodiscard]] bool write(std::string_view bytes) override;
  void end(std::string_view bytes, const FieldBlock& trailers) override;
  void abort() override;

 private:
  enum class Phase : std::uint8_t {
    head,        // between two requests, or within a head
    handling,    // an exchange is in flight
    discarding,  // answered; the rest of its body is read and dropped
    finishing,   // the last response is on its way out
    lingering,   // all is sent; what the client still sends is dropped, so that it reads the answer
    closed,
  };
  // What the timer limits.
  enum class Wait : std::uint8_t { nothing, idle, head, body, write, linger, hangup };
  // Whether a next request may begin within this turn, or only on a later one.
  enum class NextRequest : std::uint8_t { now, later };

  struct ReadHandler;
  struct ReadableHandler;

  void run(NextRequest next);
  void run_later();
  // For the handler, whose own frame lies below: it is told of a lost connection on a later turn.
  void run_for_handler();
  // One step in the current phase; false when something has to be waited for.
  [[nodiscard]] bool step(NextRequest next);
  [[nodiscard]] bool step_head(NextRequest next);
  [[nodiscard]] bool wait_for_head();
  [[nodiscard]] bool step_handling();
  [[nodiscard]] bool step_body();
  [[nodiscard]] bool give_part();
  void send_continue();
  [[nodiscard]] bool step_discarding();
  [[nodiscard]] bool step_finishing();

  void begin_exchange();
  void end_exchange();
  [[nodiscard]] bool must_close_after_response() const;
  // Whether it must be said in the head of a response in parts that the connection ends with it.
  [[nodiscard]] bool must_close_after_parts() const;
  void write(Response&& response, bool is_last, std::string_view method);
  [[nodiscard]] ResponseContext context_for(bool is_last, std::string_view method) const;
  void append_body(std::string_view bytes);
  [[nodiscard]] bool flush_for_handler();
  // For a body that the connection's end completes: only a reset shows that it was cut short.
  void reset_on_close();
  // The response is complete: what comes next.
  void leave_exchange(bool is_last);
  void refuse(const Refusal& refusal);
  void give_body_error(BodyError error);

  void start_read();
  // Between two requests: without memory to receive to.
  void start_wait();
  void on_readable(const boost::system::error_code& error);
  [[nodiscard]] std::span<char> room_for_head();
  void on_read(const boost::system::error_code& error, std::size_t bytes);
  void on_read_error();
  // Sends what is waiting; false when some of it is left or the connection is lost.
  [[nodiscard]] bool flush();
  void on_connection_lost();

  void set_deadline(Wait what, TimePoint at);
  static void on_timer(void* owner);
  void on_timeout(Wait waited_for);

  SessionHost& host_;
  Socket socket_;
  const std::string remote_address_;
  const std::uint16_t remote_port_;

  Phase phase_ = Phase::head;
  bool is_running_ = false;            // within run()
  bool is_called_by_handler_ = false;  // within a function of Exchange
  bool is_run_posted_ = false;
  int requests_in_turn_ = 0;
  bool is_reading_ = false;        // a receive is under way
  bool is_read_for_body_ = false;  // and goes to the body's buffer
  bool is_peer_done_ = false;      // it will send no more
  bool is_used_ = false;           // has had a request

  InputBuffer in_;
  RequestParser parser_;
  BodyReader body_;
  HeldBytes::Share body_held_;
  Output output_;

  RequestHead head_;
  ExchangeListener* listener_ = nullptr;
  bool is_body_wanted_ = false;
  bool is_body_given_ = false;  // or an error in its place
  bool is_body_bad_ = false;
  bool is_body_streamed_ = false;
  bool is_part_asked_ = false;
  bool is_continue_sent_ = false;
  // Of a response in parts.
  bool is_begun_ = false;
  bool is_last_ = false;             // its head says that the connection ends with it
  bool is_writable_wanted_ = false;  // write() has said false
  bool is_body_broken_ = false;      // longer than its length
  BodyFraming framing_ = BodyFraming::none;
  std::uint64_t body_left_ = 0;  // of a body with a length
  // Keeps an exchange that nobody listens to, after the client has gone, until respond().
  std::shared_ptr<Session> kept_for_respond_;

  Timer timer_;
  TimePoint timer_at_{};  // not later than deadline_
  Wait waiting_for_ = Wait::nothing;
  TimePoint deadline_{};
  TimePoint head_deadline_{};
  bool is_head_timed_ = false;
  std::size_t linger_bytes_ = 0;

  HandlerMemory read_memory_;
};

}  // namespace funcd::http
