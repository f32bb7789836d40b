#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "contract/contract.h"

namespace funcd::contract {

// Bounds of a header block: what has more of either is no header block.
inline constexpr std::size_t kCgiHeaderBytesMax = 64 << 10;
inline constexpr std::size_t kCgiHeaderFieldsMax = 200;

// What the beginning of an output is.
enum class OutputStart : std::uint8_t {
  undecided,  // more of it will tell
  header,     // a whole CGI header block (RFC 3875 6.2): fields up to an empty line, CRLF or LF,
              // among them Content-Type, Status or Location
  other,      // anything else: prose that happens to have a colon, too
};
[[nodiscard]] OutputStart start_of(std::string_view out);

// A header block and what follows it.
struct CgiOutput {
  http::Response response;
  std::optional<std::uint64_t> content_length;  // as the program has declared it
};

// The response that a header block, and what there is of the body behind it, mean. A Location
// without a Status is a 302 (RFC 3875 6.2.3, 6.2.4; a local one too: nothing is redirected within
// the server). Fields of the connection are left out; so is funcd-error, which is the server's
// word. A Status that no final response can have, a CGI field or a Content-Length that stands
// twice, one that is no number and a control character in a value are bad_output.
[[nodiscard]] std::variant<CgiOutput, Failure> read_cgi(std::string out);

// The same of a whole output: a body that does not have its Content-Length is bad_output, but for
// that of a HEAD request, which needs none.
[[nodiscard]] std::variant<http::Response, Failure> cgi_response(std::string out, bool is_head);
[[nodiscard]] Failure wrong_length(std::uint64_t bytes, std::uint64_t declared);

// What a program without a header block has printed: text where it is UTF-8, else bytes.
[[nodiscard]] http::Response raw_response(std::string out);

}  // namespace funcd::contract
