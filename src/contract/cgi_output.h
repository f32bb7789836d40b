#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "contract/contract.h"

namespace funcd::contract {

// Bounds of a header block: what has more of either is no header block.
inline constexpr std::size_t kCgiHeaderBytesMax = 64 << 10;
inline constexpr std::size_t kCgiHeaderFieldsMax = 200;

// Whether `out` begins with a CGI header block (RFC 3875 6.2): fields up to an empty line, CRLF or
// LF, among them Content-Type, Status or Location. Prose that happens to have a colon has none.
[[nodiscard]] bool has_cgi_header(std::string_view out);

// The response that a header block and what follows it mean. A Location without a Status is a 302
// (RFC 3875 6.2.3, 6.2.4; a local one too: nothing is redirected within the server). Fields of the
// connection are left out, and content-length, which the server counts itself; so is funcd-error,
// which is the server's word. A Status that no final response can have, a CGI field that stands
// twice and a control character in a value are bad_output.
[[nodiscard]] std::variant<http::Response, Failure> cgi_response(std::string out);

// What a program without a header block has printed: text where it is UTF-8, else bytes.
[[nodiscard]] http::Response raw_response(std::string out);

}  // namespace funcd::contract
