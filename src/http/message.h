#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/text.h"
#include "http/characters.h"

namespace funcd::http {

// A header field. Names compare without case (RFC 9110 5.1).
struct Field {
  std::string_view name;
  std::string_view value;
};

// The head of one request, as views into its session's buffer. Valid until the response is given.
struct RequestHead {
  std::string_view method;
  std::string_view target;          // as sent (RFC 9112 3.2)
  std::string_view path;            // raw, still percent-encoded, begins with '/'
  std::string_view query;           // raw, without '?'
  std::string_view host;            // authority of an absolute target, else the Host field
  std::span<const Field> fields;    // in the order received
  std::string_view remote_address;  // "127.0.0.1", without port
  std::uint16_t remote_port = 0;
  std::optional<std::uint64_t> content_length;  // absent for chunked and for no body
  bool has_body = false;
  int version_minor = 1;  // HTTP/1.0 or HTTP/1.1

  // The first field of that name, or nothing.
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const;
};

// Fields of a response, kept as they go onto the wire.
class FieldBlock {
 public:
  // Appends "name: value\r\n". False, with nothing appended, when the name is no token or the value
  // holds a control character (RFC 9110 5.5): a guest can never split a response. Fields that are
  // the session's own (content-length, connection, date, transfer-encoding, ...) are left out, and
  // that is no error.
  [[nodiscard]] bool add(std::string_view name, std::string_view value);
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }

 private:
  std::string bytes_;
};

// A whole response. The session adds content-length, date and connection itself.
struct Response {
  int status = 200;
  std::string_view content_type;  // static storage; empty: no content-type field
  FieldBlock fields;
  std::string body;
  // Of a response to HEAD: the length that a GET would have; else that of the body counts.
  std::optional<std::uint64_t> head_length = std::nullopt;
};

// The standard phrase of a status ("Not Found"), or "" for one that has none.
[[nodiscard]] std::string_view reason_phrase(int status);

// Whether a field may come after a body: none that says how the message is framed, routed, read,
// whom it is from, or what is to be done with it (RFC 9110 6.5.1). Who asks has acted on those by
// then.
[[nodiscard]] bool may_be_trailer(std::string_view name);

// Field names and hosts compare so.
[[nodiscard]] constexpr bool equals_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i] != right[i] && lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

}  // namespace funcd::http
