#pragma once

#include <optional>
#include <string_view>

namespace funcd::http {

// A request target taken apart (RFC 9112 3.2); views into it.
struct Target {
  std::string_view path;   // begins with '/', still percent-encoded; "*" in asterisk-form
  std::string_view query;  // without '?'
  std::optional<std::string_view> authority;  // of the absolute-form
};

// Origin-form, absolute-form with http or https, and for OPTIONS asterisk-form. Nothing when it is
// none of these or has a fragment. CONNECT's authority-form is not known here.
[[nodiscard]] std::optional<Target> parse_target(std::string_view method, std::string_view target);

// Whether a client can send it for anything but OPTIONS and CONNECT to a server: origin-form
// (RFC 9112 3.2.1), in visible ASCII: "/hello?name=n".
[[nodiscard]] bool is_origin_form(std::string_view target);

// uri-host [":" port], or nothing at all (RFC 9110 7.2): no user information, no spaces, no list.
[[nodiscard]] bool is_host(std::string_view text);

}  // namespace funcd::http
