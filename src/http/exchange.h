#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/check.h"
#include "http/message.h"

namespace funcd::http {

// Why a request body could not be had.
enum class BodyError {
  too_large,  // longer than bytes_max; the session closes the connection after the response
  timed_out,  // did not arrive within the body timeout
  malformed,  // bad chunk; the connection is closed after the response
  no_room,    // the server holds as many bytes of bodies as it may; closed as well
};

// What an exchange tells the one who answers it. Called on the loop's thread only.
class ExchangeListener {
 public:
  // The whole body; the view is valid until the response is given.
  virtual void on_body(std::string_view /*body*/) { CHECK(false, "nobody asked for a body"); }
  virtual void on_body_error(BodyError error) = 0;
  // The client is gone. The exchange must not be touched any more; nothing else will be called.
  virtual void on_hangup() = 0;

  // Of those who stream. The next part of the body, not empty; valid until more_body() or the end
  // of the exchange.
  virtual void on_body_part(std::string_view /*part*/) { CHECK(false, "nobody asked for a part"); }
  // There are no more parts.
  virtual void on_body_end() { CHECK(false, "nobody asked for a part"); }
  // After write() or begin() has said false: all is sent, more can be written.
  virtual void on_writable() { CHECK(false, "nobody has written"); }

 protected:
  ~ExchangeListener() = default;
};

// One request and its response. Owned by its session; lives until respond(), end() or abort() was
// called or on_hangup() was.
//
// A body is read whole (read_body) or in parts (stream_body, more_body); a response is given whole
// (respond) or in parts (begin, write, end). Parts are bounded both ways: the client is held back
// while nobody asks for more of its body, the writer while the client does not read. All of them
// may be called from within the listener's functions.
class Exchange {
 public:
  [[nodiscard]] virtual const RequestHead& head() const = 0;

  // Names who is told of body and hang-up. One at a time; set before a body is read or a response
  // begun in parts.
  virtual void listen(ExchangeListener& listener) = 0;

  // Reads the whole body, at most bytes_max, then calls on_body or on_body_error, perhaps before
  // it returns. Sends 100 Continue where the client waits for it (RFC 9110 10.1.1). A request
  // without a body gets on_body("") at once.
  virtual void read_body(std::size_t bytes_max) = 0;

  // The body is to come in parts, at most bytes_max in all; nothing is read before more_body(). A
  // body that is announced as longer gets on_body_error before this returns, and is not sent a
  // 100 Continue.
  virtual void stream_body(std::size_t bytes_max) = 0;
  // Asks for the next part: one of on_body_part, on_body_end, on_body_error is called, perhaps
  // before it returns. Not again before that, nor after an end or an error. While a part is asked
  // for, the client is given the body timeout to send some of it.
  virtual void more_body() = 0;

  // What has come after a chunked body, once that has ended; valid as long as the head. Fields that
  // may not come there (RFC 9110 6.5.1) are not in it.
  [[nodiscard]] virtual std::span<const Field> trailers() const { return {}; }

  // Whether the body of a response may be so long at this moment: bodies that wait for their
  // clients to read them are bounded in all.
  [[nodiscard]] virtual bool has_room(std::uint64_t /*body_bytes*/) const { return true; }
  // Ends the exchange. What was not read of the body is read and dropped up to a small limit, or
  // else the connection is closed.
  virtual void respond(Response response) = 0;

  // Most bytes of one write().
  static constexpr std::size_t kWriteBytesMax = 64 * 1024;

  // Begins a response: its head, and the first bytes of its body, in one send. With a length the
  // body is that long, else it is chunked, or ended by the connection's end (HTTP/1.0). Says
  // whether more can be written now; if not, on_writable tells when.
  [[nodiscard]] virtual bool begin(Response head, std::optional<std::uint64_t> content_length) = 0;
  // The next bytes of the body, kWriteBytesMax at the most. Sent at once; what the client does not
  // take is kept, and then this says false, and nothing is to be written before on_writable. Where
  // a response has no body (HEAD, 204, 304) the bytes are dropped.
  [[nodiscard]] virtual bool write(std::string_view bytes) = 0;
  // The last bytes, kEndBytesMax at the most, also while write() has said false; ends the exchange.
  // Trailers go to clients that take them (RFC 9110 6.5.1), after a chunked body. A body that is
  // longer or shorter than its length ends as by abort().
  virtual void end(std::string_view bytes, const FieldBlock& trailers) = 0;
  static constexpr std::size_t kEndBytesMax = 2 * kWriteBytesMax;
  // Ends the exchange, and the connection with it, so that the client sees a response cut short.
  virtual void abort() = 0;

 protected:
  ~Exchange() = default;
};

// Answers requests. Called on the loop's thread when the head of a request is complete. It must
// see to it that each exchange is ended sooner or later, perhaps at once.
class Handler {
 public:
  virtual void on_request(Exchange& exchange) = 0;
  // A request that no handler saw (malformed, too large) was answered with this status.
  virtual void on_refused(int status) = 0;

 protected:
  ~Handler() = default;
};

}  // namespace funcd::http
