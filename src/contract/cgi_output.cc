#include "contract/cgi_output.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"
#include "contract/status.h"
#include "http/characters.h"

namespace funcd::contract {
namespace {

// The fields that CGI itself knows (RFC 3875 6.3).
enum class CgiField : std::uint8_t { content_type, location, status };
constexpr std::array<std::string_view, 3> kCgiFields = {"content-type", "location", "status"};

std::optional<CgiField> cgi_field_of(std::string_view name) {
  for (std::size_t i = 0; i < kCgiFields.size(); ++i) {
    if (http::equals_ignoring_case(name, kCgiFields[i])) return static_cast<CgiField>(i);
  }
  return std::nullopt;
}

std::optional<http::Field> field_of(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == line.npos || !http::is_token(line.substr(0, colon))) return std::nullopt;
  return http::Field{line.substr(0, colon), trimmed(line.substr(colon + 1))};
}

// Reads a header block line by line.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view out) : rest_(out.substr(0, kCgiHeaderBytesMax)) {}

  // The next field; nothing after the last, or where there is none.
  std::optional<http::Field> next() {
    const std::size_t end = rest_.find('\n');
    if (end == rest_.npos || ++count_ > kCgiHeaderFieldsMax) return std::nullopt;
    std::string_view line = rest_.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::optional<http::Field> field = field_of(line);
    if (!field && !line.empty()) return std::nullopt;
    rest_.remove_prefix(end + 1);
    size_ += end + 1;
    is_complete_ = line.empty();
    return field;
  }
  // The empty line was read.
  [[nodiscard]] bool is_complete() const { return is_complete_; }
  // What next() has stopped at may become a field, or the empty line, with more bytes.
  [[nodiscard]] bool is_cut_short() const {
    if (is_complete_ || count_ > kCgiHeaderFieldsMax) return false;
    if (size_ + rest_.size() >= kCgiHeaderBytesMax || rest_.find('\n') != rest_.npos) return false;
    const std::string_view name = rest_.substr(0, rest_.find(':'));
    return name.empty() || name == "\r" || http::is_token(name);
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::string_view rest_;
  std::size_t size_ = 0;
  std::size_t count_ = 0;
  bool is_complete_ = false;
};

// "404", "404 Not Found".
std::optional<int> status_of(std::string_view value) {
  return final_status_of(value.substr(0, value.find(' ')));
}

std::optional<std::uint64_t> length_of(std::string_view value) {
  std::uint64_t length = 0;
  if (!http::is_digits(value)) return std::nullopt;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  return error == std::errc{} ? std::optional(length) : std::nullopt;
}

std::string_view type_of_bytes(std::string_view body) {
  return is_utf8(body) ? "text/plain; charset=utf-8" : "application/octet-stream";
}

// Of what may be a beginning only, so that its last character may be cut.
std::string_view type_of_beginning(std::string_view body) {
  constexpr std::size_t kCutBytesMax = 3;
  for (std::size_t cut = 0; cut <= std::min(kCutBytesMax, body.size()); ++cut) {
    if (!is_utf8(body.substr(0, body.size() - cut))) continue;
    constexpr unsigned char kFirstLead = 0xC2;
    constexpr unsigned char kLastLead = 0xF4;
    const auto lead = static_cast<unsigned char>(cut == 0 ? kFirstLead : body[body.size() - cut]);
    return type_of_bytes(lead >= kFirstLead && lead <= kLastLead ? "" : body);
  }
  return type_of_bytes(body);
}

Failure bad_output(std::string detail) {
  return {Reason::bad_output, std::move(detail)};
}

}  // namespace

OutputStart start_of(std::string_view out) {
  HeaderReader header(out);
  bool is_marked = false;
  while (const auto field = header.next()) is_marked |= cgi_field_of(field->name).has_value();
  if (header.is_complete()) return is_marked ? OutputStart::header : OutputStart::other;
  return header.is_cut_short() ? OutputStart::undecided : OutputStart::other;
}

std::variant<CgiOutput, Failure> read_cgi(std::string out) {
  CgiOutput output;
  http::Response& response = output.response;
  std::optional<int> status;
  std::array<bool, kCgiFields.size()> seen{};
  HeaderReader header(out);
  while (const auto field = header.next()) {
    const std::optional<CgiField> known = cgi_field_of(field->name);
    if (known && std::exchange(seen[static_cast<std::size_t>(*known)], true)) {
      return bad_output(fmt::format("its header block has {} twice", field->name));
    }
    if (known == CgiField::status) {
      status = status_of(field->value);
      if (!status) return bad_output("its Status is no number from 200 to 599");
      continue;
    }
    if (http::equals_ignoring_case(field->name, "funcd-error")) continue;
    if (http::equals_ignoring_case(field->name, "content-length")) {
      if (output.content_length) return bad_output("its header block has Content-Length twice");
      output.content_length = length_of(field->value);
      if (!output.content_length) return bad_output("its Content-Length is no number of bytes");
      continue;
    }
    if (!response.fields.add(field->name, field->value)) {
      return bad_output(
          fmt::format("its field {} has a control character in its value", field->name));
    }
  }
  if (!header.is_complete()) return bad_output("its header block has no end");
  const bool has_location = seen[static_cast<std::size_t>(CgiField::location)];
  response.status = status.value_or(has_location ? 302 : 200);
  out.erase(0, header.size());
  if (!may_have_body(response.status)) out.clear();
  const bool has_type = seen[static_cast<std::size_t>(CgiField::content_type)];
  if (!has_type && !out.empty()) response.content_type = type_of_beginning(out);
  response.body = std::move(out);
  return output;
}

std::variant<http::Response, Failure> cgi_response(std::string out, bool is_head) {
  auto read = read_cgi(std::move(out));
  if (auto* failure = std::get_if<Failure>(&read)) return std::move(*failure);
  auto& [response, content_length] = std::get<CgiOutput>(read);
  if (!response.content_type.empty()) response.content_type = type_of_bytes(response.body);
  if (is_head) {
    response.head_length = content_length;
  } else if (content_length && may_have_body(response.status) &&
             response.body.size() != *content_length) {
    return wrong_length(response.body.size(), *content_length);
  }
  return std::move(response);
}

Failure wrong_length(std::uint64_t bytes, std::uint64_t declared) {
  return bad_output(
      fmt::format("its body has {} bytes, its Content-Length says {}", bytes, declared));
}

http::Response raw_response(std::string out) {
  http::Response response;
  response.content_type = type_of_bytes(out);
  response.body = std::move(out);
  return response;
}

}  // namespace funcd::contract
