#include "contract/cgi_output.h"

#include <array>
#include <optional>
#include <utility>

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

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
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

std::string_view type_of_bytes(std::string_view body) {
  return is_utf8(body) ? "text/plain; charset=utf-8" : "application/octet-stream";
}

Failure bad_output(std::string detail) {
  return {Reason::bad_output, std::move(detail)};
}

}  // namespace

bool has_cgi_header(std::string_view out) {
  HeaderReader header(out);
  bool is_marked = false;
  while (const auto field = header.next()) is_marked |= cgi_field_of(field->name).has_value();
  return is_marked && header.is_complete();
}

std::variant<http::Response, Failure> cgi_response(std::string out) {
  http::Response response;
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
  if (!has_type && !out.empty()) response.content_type = type_of_bytes(out);
  response.body = std::move(out);
  return response;
}

http::Response raw_response(std::string out) {
  http::Response response;
  response.content_type = type_of_bytes(out);
  response.body = std::move(out);
  return response;
}

}  // namespace funcd::contract
