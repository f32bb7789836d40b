#pragma once

#include <cstddef>
#include <string_view>

#include "http/message.h"

namespace funcd::http {

// Why a request body could not be had.
enum class BodyError {
  too_large,  // longer than bytes_max; the session closes the connection after the response
  timed_out,  // did not arrive within the body timeout
  malformed,  // bad chunk; the connection is closed after the response
};

// What an exchange tells the one who answers it. Called on the loop's thread only.
class ExchangeListener {
 public:
  // The whole body; the view is valid until the response is given.
  virtual void on_body(std::string_view body) = 0;
  virtual void on_body_error(BodyError error) = 0;
  // The client is gone. The exchange must not be touched any more; nothing else will be called.
  virtual void on_hangup() = 0;

 protected:
  ~ExchangeListener() = default;
};

// One request and its response. Owned by its session; lives until respond() was called or
// on_hangup() was.
class Exchange {
 public:
  [[nodiscard]] virtual const RequestHead& head() const = 0;

  // Names who is told of body and hang-up. At most one; set before read_body.
  virtual void listen(ExchangeListener& listener) = 0;
  // Reads the whole body, at most bytes_max, then calls on_body or on_body_error, perhaps before
  // it returns. Sends 100 Continue where the client waits for it (RFC 9110 10.1.1). A request
  // without a body gets on_body("") at once.
  virtual void read_body(std::size_t bytes_max) = 0;
  // Ends the exchange. What was not read of the body is read and dropped up to a small limit, or
  // else the connection is closed.
  virtual void respond(Response response) = 0;

 protected:
  ~Exchange() = default;
};

// Answers requests. Called on the loop's thread when the head of a request is complete. It must
// see to it that respond() is called sooner or later, perhaps at once.
class Handler {
 public:
  virtual void on_request(Exchange& exchange) = 0;
  // A request that no handler saw (malformed, too large) was answered with this status.
  virtual void on_refused(int status) = 0;

 protected:
  ~Handler() = default;
};

}  // namespace funcd::http
