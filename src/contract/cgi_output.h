#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "contract/contract.h"

namespace funcd::contract {

// Whether `out` begins with a CGI header block (RFC 3875 6.2): fields up to an empty line, CRLF or
// LF, among them Content-Type, Status or Location.
[[nodiscard]] bool has_cgi_header(std::string_view out);

// The response that a header block and what follows it mean. A Location without a Status is a 302;
// fields that are the server's own (content-length, date, connection and the like) are left out.
[[nodiscard]] std::variant<http::Response, Failure> cgi_response(std::string out);

// What a program without a header block has printed: text where it is UTF-8, else bytes.
[[nodiscard]] http::Response raw_response(std::string out);

}  // namespace funcd::contract
