#include "files/file_response.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <limits>
#include <optional>

#include "base/check.h"
#include "base/text.h"
#include "http/characters.h"

namespace funcd::files {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kYoung = 2 * kSecond;

struct Validators {
  std::string tag;  // without W/
  bool is_strong = true;
  std::int64_t modified = 0;  // in seconds

  [[nodiscard]] std::string field() const { return is_strong ? tag : "W/" + tag; }
};

Validators validators_of(const OpenFile& file, std::int64_t now_ns) {
  return {.tag = fmt::format("\"{:x}-{:x}\"", file.modified_ns, file.bytes),
          .is_strong = now_ns - file.modified_ns >= kYoung,
          .modified = file.modified_ns / kSecond};
}

enum class Comparison : std::uint8_t { weak, strong };

// Whether a list of entity tags has ours (RFC 9110 8.8.3.2). Ours has no comma in it.
bool has_tag(std::string_view list, const Validators& ours, Comparison comparison) {
  if (trimmed(list) == "*") return true;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view tag = trimmed(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    const bool is_weak = tag.starts_with("W/");
    if (is_weak) tag.remove_prefix(2);
    const bool may_match = comparison == Comparison::weak || (!is_weak && ours.is_strong);
    if (may_match && tag == ours.tag) return true;
  }
  return false;
}

// Over all fields of that name; nothing when there is none.
std::optional<bool> has_tag(const http::RequestHead& request, std::string_view name,
                            const Validators& ours, Comparison comparison) {
  std::optional<bool> has;
  for (const http::Field& field : request.fields) {
    if (!http::equals_ignoring_case(field.name, name)) continue;
    has = has.value_or(false) || has_tag(field.value, ours, comparison);
  }
  return has;
}

std::optional<std::int64_t> date_in(const http::RequestHead& request, std::string_view name) {
  const auto value = request.field(name);
  return value ? parse_http_date(*value) : std::nullopt;
}

// 412, 304, or 200 where the preconditions hold (RFC 9110 13.2.2).
int judge(const http::RequestHead& request, const Validators& ours) {
  if (const auto is_ours = has_tag(request, "if-match", ours, Comparison::strong)) {
    if (!*is_ours) return 412;
  } else if (const auto date = date_in(request, "if-unmodified-since")) {
    if (ours.modified > *date) return 412;
  }
  if (const auto is_ours = has_tag(request, "if-none-match", ours, Comparison::weak)) {
    if (*is_ours) return 304;
  } else if (const auto date = date_in(request, "if-modified-since")) {
    if (ours.modified <= *date) return 304;
  }
  return 200;
}

// Whether the range is wanted of this state of the file (RFC 9110 13.1.5).
bool allows_range(const http::RequestHead& request, const Validators& ours) {
  const auto condition = request.field("if-range");
  if (!condition) return true;
  if (const auto date = parse_http_date(*condition)) {
    return ours.is_strong && *date == ours.modified;
  }
  return trimmed(*condition) != "*" && has_tag(*condition, ours, Comparison::strong);
}

std::optional<std::uint64_t> number_of(std::string_view digits) {
  if (!http::is_digits(digits)) return std::nullopt;
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return parsed.ec == std::errc() ? number : std::numeric_limits<std::uint64_t>::max();
}

struct Range {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // 0: there is nothing there
};

// "bytes=0-99", "bytes=100-", "bytes=-50"; nothing for what is to be ignored (RFC 9110 14.2).
std::optional<Range> range_of(std::string_view text, std::uint64_t size) {
  const std::size_t equals = text.find('=');
  if (equals == text.npos ||
      !http::equals_ignoring_case(trimmed(text.substr(0, equals)), "bytes")) {
    return std::nullopt;
  }
  const std::string_view spec = trimmed(text.substr(equals + 1));
  const std::size_t dash = spec.find('-');
  if (dash == spec.npos) return std::nullopt;
  const std::string_view first_text = spec.substr(0, dash);
  const std::string_view last_text = spec.substr(dash + 1);
  const auto first = number_of(first_text);
  const auto last = number_of(last_text);
  if (first_text.empty()) {
    if (!last || size == 0) return std::nullopt;
    const std::uint64_t bytes = std::min(*last, size);
    return Range{size - bytes, bytes};
  }
  if (!first || (!last_text.empty() && (!last || *last < *first))) return std::nullopt;
  if (*first >= size) return Range{};
  const std::uint64_t end = last && *last < size ? *last + 1 : size;
  return Range{*first, end - *first};
}

void add(http::Response& head, std::string_view name, std::string_view value) {
  CHECK(head.fields.add(name, value), "{}: {}", name, value);
}

}  // namespace

FileResponse respond_with_file(const http::RequestHead& request, const OpenFile& file,
                               std::int64_t now_ns) {
  const Validators ours = validators_of(file, now_ns);
  FileResponse response;
  http::Response& head = response.head;
  head.status = judge(request, ours);
  if (head.status == 412) return response;
  add(head, "etag", ours.field());
  add(head, "last-modified", http_date(ours.modified));
  if (head.status == 304) return response;
  add(head, "accept-ranges", "bytes");
  response.bytes = file.bytes;
  const auto wanted = request.field("range");
  if (wanted && request.method == "GET" && allows_range(request, ours)) {
    if (const auto range = range_of(*wanted, file.bytes)) {
      if (range->bytes == 0) {
        head.status = 416;
        response.bytes = 0;
        add(head, "content-range", fmt::format("bytes */{}", file.bytes));
        return response;
      }
      head.status = 206;
      response.offset = range->offset;
      response.bytes = range->bytes;
      add(head, "content-range",
          fmt::format("bytes {}-{}/{}", range->offset, range->offset + range->bytes - 1,
                      file.bytes));
    }
  }
  head.content_type = file.media_type;
  return response;
}

std::string http_date(std::int64_t seconds) {
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                     "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                     kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  const std::string copy(trimmed(text));
  for (const char* form :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    std::tm parts{};
    const char* end = ::strptime(copy.c_str(), form, &parts);
    if (end == copy.c_str() + copy.size()) return ::timegm(&parts);
  }
  return std::nullopt;
}

}  // namespace funcd::files
