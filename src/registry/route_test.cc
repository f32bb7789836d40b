#include "registry/route.h"

#include <gtest/gtest.h>

namespace funcd::registry {
namespace {

std::string parsed(std::string_view route) {
  const auto segments = parse_route(route);
  if (!segments) return segments.error().message;
  std::string shape;
  for (const Segment& segment : *segments) {
    constexpr std::string_view kMarks = "lpr";
    shape += kMarks[static_cast<std::size_t>(segment.kind)];
    shape += "(" + segment.text + ")";
  }
  return shape;
}

TEST(Route, IsSplitIntoSegments) {
  EXPECT_EQ(parsed("/users/{id}"), "l(users)p(id)");
  EXPECT_EQ(parsed("/files/*"), "l(files)r(*)");
  EXPECT_EQ(parsed("/"), "l()");
  EXPECT_EQ(parsed("/*"), "r(*)");
  EXPECT_EQ(parsed("/files/{*path}"), "l(files)r(path)");
  EXPECT_EQ(parsed("/hello/"), "l(hello)l()");
  EXPECT_EQ(parsed("/robots.txt"), "l(robots.txt)");
  EXPECT_EQ(parsed("/gr\xC3\xBC\xC3\x9F"), "l(gr\xC3\xBC\xC3\x9F)");
}

TEST(Route, StaticMeansLiteralsOnly) {
  EXPECT_TRUE(is_static(parse_route("/a/b").value()));
  EXPECT_FALSE(is_static(parse_route("/a/{b}").value()));
  EXPECT_FALSE(is_static(parse_route("/a/*").value()));
}

TEST(Route, ShapeForgetsTheNamesOfParameters) {
  EXPECT_EQ(shape_of(parse_route("/users/{id}/*").value()), "/users/{}/*");
  EXPECT_EQ(shape_of(parse_route("/").value()), "/");
  EXPECT_EQ(shape_of(parse_route("/a/{*rest}").value()), shape_of(parse_route("/a/*").value()));
}

TEST(Route, ErrorsNameTheRoute) {
  EXPECT_EQ(parsed("/a/{id}/{id}"), "route /a/{id}/{id}: parameter 'id' appears twice");
  EXPECT_EQ(parsed("/{a}/{*a}"), "route /{a}/{*a}: parameter 'a' appears twice");
  EXPECT_EQ(parsed("/{*a}/b"),
            "route /{*a}/b: '*' takes all that is left, so it must be the last segment");
  EXPECT_EQ(parsed("/{*}").substr(0, 26), "route /{*}: '{*}' is no pa");
  EXPECT_EQ(parsed("hello"), "route 'hello': must begin with '/'");
  EXPECT_EQ(parsed(""), "route '': must begin with '/'");
  EXPECT_EQ(parsed("/a//b"), "route /a//b: has an empty segment ('//')");
  EXPECT_EQ(parsed("/*/b"),
            "route /*/b: '*' takes all that is left, so it must be the last segment");
  EXPECT_EQ(parsed("/a*"), "route /a*: '*' stands alone, as the last segment");
  EXPECT_EQ(parsed("/a/{id}.json"),
            "route /a/{id}.json: '{id}.json' mixes a parameter with text; a parameter is a whole "
            "segment");
  EXPECT_EQ(parsed("/{}"),
            "route /{}: '{}' is no parameter; write {name} with letters, digits, '_', '-'");
  EXPECT_EQ(parsed("/{1a}").substr(0, 28), "route /{1a}: '{1a}' is no pa");
  EXPECT_EQ(parsed("/a/../b"), "route /a/../b: '..' never reaches a server; leave it out");
  EXPECT_EQ(parsed("/a%20b"), "route /a%20b: is matched decoded; write the character itself");
  EXPECT_EQ(parsed("/a?b"), "route /a?b: holds '?', which no path does");
  EXPECT_EQ(parsed("/a b"), "route /a b: holds ' ', which no path does");
  EXPECT_EQ(parsed("/\xFF"), "route /\xFF: is not UTF-8");
}

TEST(Route, HasBounds) {
  std::string deep;
  for (std::size_t i = 0; i < kRouteSegmentsMax; ++i) deep += "/a";
  EXPECT_TRUE(parse_route(deep));
  EXPECT_FALSE(parse_route(deep + "/a"));
  EXPECT_TRUE(parse_route("/" + std::string(kRouteBytesMax - 1, 'a')));
  EXPECT_FALSE(parse_route("/" + std::string(kRouteBytesMax, 'a')));
}

}  // namespace
}  // namespace funcd::registry
