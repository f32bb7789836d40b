#include "registry/route.h"

#include <algorithm>

#include "base/utf8.h"

namespace funcd::registry {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// RFC 3986 3.3: pchar without percent-encoding and '*', which is a wildcard here; and UTF-8.
bool is_literal_char(char c) {
  constexpr std::string_view kOthers = "-._~!$&'()+,;=:@";
  return is_letter(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80 ||
         kOthers.find(c) != std::string_view::npos;
}

Result<Segment> parse_parameter(std::string_view route, std::string_view text) {
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') {
    return fail("route {}: '{}' mixes a parameter with text; a parameter is a whole segment", route,
                text);
  }
  std::string_view name = text.substr(1, text.size() - 2);
  const bool takes_rest = name.starts_with('*');
  if (takes_rest) name.remove_prefix(1);
  if (!is_parameter_name(name)) {
    return fail("route {}: '{}' is no parameter; write {{name}} with letters, digits, '_', '-'",
                route, text);
  }
  return Segment{takes_rest ? Segment::Kind::rest : Segment::Kind::parameter, std::string(name)};
}

Result<Segment> parse_segment(std::string_view route, std::string_view text) {
  if (text == "*") return Segment{Segment::Kind::rest, "*"};
  if (text.find_first_of("{}") != std::string_view::npos) return parse_parameter(route, text);
  if (text == "." || text == "..") {
    return fail("route {}: '{}' never reaches a server; leave it out", route, text);
  }
  for (const char c : text) {
    if (c == '*') return fail("route {}: '*' stands alone, as the last segment", route);
    if (c == '%') return fail("route {}: is matched decoded; write the character itself", route);
    if (!is_literal_char(c)) return fail("route {}: holds '{}', which no path does", route, c);
  }
  if (!is_utf8(text)) return fail("route {}: is not UTF-8", route);
  return Segment{Segment::Kind::literal, std::string(text)};
}

// What only the whole shows: order of the kinds, names that repeat.
Result<> check_segments(std::string_view route, const std::vector<Segment>& segments) {
  for (auto segment = segments.begin(); segment != segments.end(); ++segment) {
    const bool is_last = segment + 1 == segments.end();
    if (segment->kind == Segment::Kind::rest && !is_last) {
      return fail("route {}: '*' takes all that is left, so it must be the last segment", route);
    }
    if (segment->kind == Segment::Kind::literal && segment->text.empty() && !is_last) {
      return fail("route {}: has an empty segment ('//')", route);
    }
    if (segment->kind == Segment::Kind::literal) continue;
    const bool is_repeated = std::any_of(segments.begin(), segment, [&](const Segment& earlier) {
      return earlier.kind != Segment::Kind::literal && earlier.text == segment->text;
    });
    if (is_repeated) return fail("route {}: parameter '{}' appears twice", route, segment->text);
  }
  return {};
}

}  // namespace

Result<std::vector<Segment>> parse_route(std::string_view route) {
  if (route.empty() || route.front() != '/') return fail("route '{}': must begin with '/'", route);
  if (route.size() > kRouteBytesMax) {
    return fail("route {}...: is longer than {} bytes", route.substr(0, 40), kRouteBytesMax);
  }
  std::vector<Segment> segments;
  for (std::size_t begin = 1; begin != 0;) {
    const std::size_t slash = route.find('/', begin);
    segments.push_back(TRY(parse_segment(route, route.substr(begin, slash - begin))));
    if (segments.size() > kRouteSegmentsMax) {
      return fail("route {}: has more than {} segments", route, kRouteSegmentsMax);
    }
    begin = slash == std::string_view::npos ? 0 : slash + 1;
  }
  TRY(check_segments(route, segments));
  return segments;
}

std::string shape_of(const std::vector<Segment>& segments) {
  std::string shape;
  for (const Segment& segment : segments) {
    shape += '/';
    switch (segment.kind) {
      case Segment::Kind::literal:
        shape += segment.text;
        break;
      case Segment::Kind::parameter:
        shape += "{}";
        break;
      case Segment::Kind::rest:
        shape += '*';
        break;
    }
  }
  return shape;
}

bool is_parameter_name(std::string_view name) {
  if (name.empty() || !(is_letter(name[0]) || name[0] == '_')) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; });
}

bool is_static(const std::vector<Segment>& segments) {
  return std::all_of(segments.begin(), segments.end(),
                     [](const Segment& segment) { return segment.kind == Segment::Kind::literal; });
}

}  // namespace funcd::registry
