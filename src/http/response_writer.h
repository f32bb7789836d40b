#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string_view>

#include "http/byte_buffer.h"
#include "http/message.h"
#include "http/refusal.h"

namespace funcd::http {

// The field date, formatted once a second (RFC 9110 5.6.7). One per server.
class DateField {
 public:
  // "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"; valid until the next call.
  [[nodiscard]] std::string_view at(std::time_t now);

 private:
  std::time_t second_ = -1;
  std::array<char, 64> text_{};
  std::size_t size_ = 0;
};

// How the client knows where a body ends (RFC 9112 6.3).
enum class BodyFraming : std::uint8_t {
  none,         // there is no body: HEAD, 204, 304
  length,       // content-length
  chunked,      // transfer-encoding
  until_close,  // the connection ends with it
};

// What a response becomes depends on the request it answers (RFC 9112 6.3, 9.3).
struct ResponseContext {
  // Of the body. Absent: that is known only at its end.
  std::optional<std::uint64_t> content_length = std::nullopt;
  bool is_head_method = false;
  bool is_http_1_0 = false;
  bool is_last = false;  // the connection is closed after it, as it must be after until_close
  std::string_view date_field;
};

// Appends the head of `response` to `out` and says how its body is to follow. A status that no
// final response can have (RFC 9110 15) is replaced by 500.
[[nodiscard]] BodyFraming write_head(const Response& response, const ResponseContext& context,
                                     ByteBuffer& out);

// {"detail":..., "reason":...} and the field funcd-error.
[[nodiscard]] Response refusal_response(const Refusal& refusal);

}  // namespace funcd::http
