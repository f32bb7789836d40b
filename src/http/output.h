#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "http/byte_buffer.h"
#include "http/held_bytes.h"
#include "http/message.h"
#include "http/response_writer.h"
#include "http/server_counters.h"
#include "http/socket.h"

namespace funcd::http {

// What a session has to send. Responses are formatted behind each other and sent in one call; a
// large body is not copied but sent from where it is. Owned by its session. While nothing waits to
// be sent it lends its memory to the others, by way of `spare`, which outlives all but the
// destructor.
class Output {
 public:
  // Copying less than this is cheaper than a second element in the send; it is not held either.
  static constexpr std::size_t kSmallBodyBytesMax = 16 * 1024;

  enum class Progress : std::uint8_t {
    done,      // all is sent
    advanced,  // some is sent; wait()
    stuck,     // the client does not read; wait()
    lost,      // there is no connection any more
  };

  Output(Socket& socket, ServerCounters& counters, HeldBytes& held, ByteBuffer& spare)
      : socket_(socket), counters_(counters), spare_(spare), held_(held) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Not while is_full().
  void append(std::string_view bytes) { sink().append(bytes); }
  void write(Response&& response, const ResponseContext& context);
  // The head alone; says how the body is to follow by append().
  [[nodiscard]] BodyFraming begin(const Response& head, const ResponseContext& context) {
    return write_head(head, context, sink());
  }

  // Nothing will be sent any more.
  void give_up() { held_.hold(0); }

  // Flush before more is written: what waits is bounded.
  [[nodiscard]] bool is_full() const;

  // Sends without blocking.
  [[nodiscard]] Progress flush();

  // Calls `handler` (error_code) once the socket takes more; it keeps this object alive.
  template <class Handler>
  void wait(Handler handler) {
    is_waiting_ = true;
    socket_.async_wait(Socket::wait_write,
                       [this, handler = std::move(handler)](const auto& error) mutable {
                         is_waiting_ = false;
                         handler(error);
                       });
  }
  [[nodiscard]] bool is_waiting() const { return is_waiting_; }

 private:
  // Bytes sent, or a negative errno.
  [[nodiscard]] long send();
  [[nodiscard]] ByteBuffer& sink() {
    if (bytes_.capacity() == 0) std::swap(bytes_, spare_);
    return bytes_;
  }
  void clear();

  Socket& socket_;
  ServerCounters& counters_;
  ByteBuffer& spare_;
  ByteBuffer bytes_;
  std::string body_;      // follows bytes_, when too large to be copied behind it
  std::size_t sent_ = 0;  // of both
  bool is_waiting_ = false;
  HeldBytes::Share held_;  // body_
};

}  // namespace funcd::http
