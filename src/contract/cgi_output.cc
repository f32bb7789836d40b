#include "contract/cgi_output.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/utf8.h"

namespace funcd::contract {
namespace {

// A program that prints more before its body does not print a header.
constexpr std::size_t kHeaderBytesMax = 64 << 10;

// Of the connection and the message, not of the program's answer (RFC 3875 6.3.4, RFC 9110 7.6.1).
constexpr std::array<std::string_view, 9> kServerFields = {
    "connection", "content-length",    "date",    "keep-alive", "proxy-connection",
    "te",         "transfer-encoding", "trailer", "upgrade"};

bool is_any_of(std::string_view name, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view each) {
    return http::equals_ignoring_case(name, each);
  });
}

// Takes one line, without its end, off the front; nothing when there is no whole line.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || end > kHeaderBytesMax) return std::nullopt;
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::optional<http::Field> field_of(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string_view name = line.substr(0, colon);
  if (name.find_first_of(" \t\"(),/;<=>?@[\\]{}") != std::string_view::npos) return std::nullopt;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  return http::Field{name, value};
}

// "404", "404 Not Found".
std::optional<int> status_of(std::string_view value) {
  int status = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), status);
  const bool is_whole = end == value.data() + value.size() || *end == ' ';
  if (error != std::errc() || !is_whole || status < 200 || status > 599) return std::nullopt;
  return status;
}

}  // namespace

bool has_cgi_header(std::string_view out) {
  constexpr std::array<std::string_view, 3> kMarks = {"content-type", "status", "location"};
  std::string_view rest = out.substr(0, kHeaderBytesMax);
  bool is_marked = false;
  while (const auto line = take_line(rest)) {
    if (line->empty()) return is_marked;
    const auto field = field_of(*line);
    if (!field) return false;
    is_marked = is_marked || is_any_of(field->name, kMarks);
  }
  return false;
}

std::variant<http::Response, Failure> cgi_response(std::string out) {
  http::Response response;
  std::optional<int> status;
  bool has_location = false;
  std::string_view rest = out;
  while (const auto line = take_line(rest)) {
    if (line->empty()) break;
    const auto field = field_of(*line);
    if (!field) return Failure{Reason::bad_output, "a line of its header block is no field"};
    if (is_any_of(field->name, kServerFields)) continue;
    if (http::equals_ignoring_case(field->name, "status")) {
      status = status_of(field->value);
      if (!status) return Failure{Reason::bad_output, "its Status is no number from 200 to 599"};
      continue;
    }
    has_location = has_location || http::equals_ignoring_case(field->name, "location");
    if (!response.fields.add(field->name, field->value)) {
      return Failure{Reason::bad_output, "a field of its header block has a control character"};
    }
  }
  response.status = status.value_or(has_location ? 302 : 200);
  out.erase(0, out.size() - rest.size());
  response.body = std::move(out);
  return response;
}

http::Response raw_response(std::string out) {
  http::Response response;
  response.content_type =
      is_utf8(out) ? std::string_view("text/plain; charset=utf-8") : "application/octet-stream";
  response.body = std::move(out);
  return response;
}

}  // namespace funcd::contract
