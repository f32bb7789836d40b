#include "registry/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "base/clock.h"

namespace {
thread_local std::size_t allocations = 0;
}

// Counted, so that a test can say that a look-up makes none.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}

namespace funcd::registry {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::shared_ptr<const Revision> revision(const std::string& name, const std::string& route,
                                         std::vector<std::string> methods = {}) {
  auto made = std::make_shared<Revision>();
  made->function = std::make_shared<Function>(name, 1);
  made->route = route;
  made->manifest.methods = std::move(methods);
  return made;
}

std::shared_ptr<const Catalog> catalog_of(std::vector<std::string> routes) {
  std::vector<std::shared_ptr<const Revision>> revisions;
  for (const std::string& route : routes) revisions.push_back(revision("f" + route, route));
  return Catalog::build(std::move(revisions)).value();
}

// The route that a path meets, with what its parameters took: "/users/{id} id=7".
std::string met(const Catalog& catalog, std::string_view path, std::string_view method = "GET") {
  const Match match = catalog.match(method, path);
  switch (match.kind) {
    case Match::Kind::not_found:
      return "not_found";
    case Match::Kind::bad_path:
      return "bad_path";
    case Match::Kind::method_not_allowed:
      return "allow " + match.allow;
    case Match::Kind::found:
      break;
  }
  std::string text = (*match.revision)->route;
  for (const PathParam& param : match.params) {
    text += " " + std::string(param.name) + "=" + param.value;
  }
  return text;
}

TEST(Catalog, StaticRoutesAreExact) {
  const auto catalog = catalog_of({"/hello", "/api/users", "/"});
  EXPECT_EQ(met(*catalog, "/hello"), "/hello");
  EXPECT_EQ(met(*catalog, "/api/users"), "/api/users");
  EXPECT_EQ(met(*catalog, "/"), "/");
  EXPECT_EQ(met(*catalog, "/hello/"), "not_found");
  EXPECT_EQ(met(*catalog, "/Hello"), "not_found");
  EXPECT_EQ(met(*catalog, "/hell"), "not_found");
  EXPECT_EQ(met(*catalog, "/hello/x"), "not_found");
  EXPECT_EQ(met(*catalog, "hello"), "not_found");
  EXPECT_EQ(met(*catalog, "*"), "not_found");
  EXPECT_EQ(met(*catalog, ""), "not_found");
}

TEST(Catalog, ATrailingSlashIsARouteOfItsOwn) {
  const auto catalog = catalog_of({"/hello/"});
  EXPECT_EQ(met(*catalog, "/hello/"), "/hello/");
  EXPECT_EQ(met(*catalog, "/hello"), "not_found");
}

TEST(Catalog, AnEmptyCatalogMeetsNothing) {
  EXPECT_EQ(met(Catalog(), "/hello"), "not_found");
  EXPECT_EQ(met(Catalog(), "/%00"), "bad_path");
}

TEST(Catalog, ACanaryStandsBesideItsFunction) {
  const auto function = revision("f", "/f/{id}", {"GET"});
  auto canary = std::make_shared<Revision>(*revision("f", "/f/{id}", {"POST"}));
  canary->function = std::make_shared<Function>("f", 1, 2);
  const auto catalog = Catalog::build({revision("e", "/e"), function}, false, {canary}).value();
  EXPECT_EQ(catalog->match("GET", "/e").canary, nullptr);
  Match match = catalog->match("GET", "/f/7");
  EXPECT_EQ(*match.revision, function);
  ASSERT_NE(match.canary, nullptr);
  // Who meets it, meets its methods.
  match.meet(*match.canary, "GET");
  EXPECT_EQ(match.kind, Match::Kind::method_not_allowed);
  EXPECT_EQ(match.allow, "POST");
  match = catalog->match("POST", "/f/7");
  EXPECT_EQ(match.kind, Match::Kind::method_not_allowed);
  ASSERT_NE(match.canary, nullptr);
  match.meet(*match.canary, "POST");
  EXPECT_EQ(match.kind, Match::Kind::found);
  EXPECT_EQ((*match.revision)->function->title, "f@2");
  ASSERT_EQ(match.params.size(), 1U);
  EXPECT_EQ(match.params[0].value, "7");
  EXPECT_EQ(catalog->find_title("f@2"), canary);
  EXPECT_EQ(catalog->find_title("f"), function);
  EXPECT_EQ(catalog->find_title("f@3"), nullptr);
}

TEST(Catalog, ParametersTakeOneSegment) {
  const auto catalog = catalog_of({"/users/{id}", "/users/{id}/posts/{post}"});
  EXPECT_EQ(met(*catalog, "/users/7"), "/users/{id} id=7");
  EXPECT_EQ(met(*catalog, "/users/7/posts/x%20y"), "/users/{id}/posts/{post} id=7 post=x y");
  EXPECT_EQ(met(*catalog, "/users/"), "not_found");
  EXPECT_EQ(met(*catalog, "/users"), "not_found");
  EXPECT_EQ(met(*catalog, "/users/7/"), "not_found");
  EXPECT_EQ(met(*catalog, "/users/7/posts"), "not_found");
}

TEST(Catalog, ParametersOfOnePlaceMayHaveManyNames) {
  const auto catalog = catalog_of({"/u/{id}", "/u/{name}/posts"});
  EXPECT_EQ(met(*catalog, "/u/7"), "/u/{id} id=7");
  EXPECT_EQ(met(*catalog, "/u/ada/posts"), "/u/{name}/posts name=ada");
}

TEST(Catalog, TheRestTakesAllThatIsLeft) {
  const auto catalog = catalog_of({"/files/*"});
  EXPECT_EQ(met(*catalog, "/files/a/b%2Fc/d.txt"), "/files/* *=a/b/c/d.txt");
  EXPECT_EQ(met(*catalog, "/files/"), "/files/* *=");
  EXPECT_EQ(met(*catalog, "/files/a/"), "/files/* *=a/");
  EXPECT_EQ(met(*catalog, "/files"), "not_found");
}

TEST(Catalog, LongestStaticPrefixWins) {
  const auto catalog =
      catalog_of({"/*", "/a/*", "/a/{x}", "/a/b", "/a/{x}/c", "/a/b/{y}", "/{x}/b/c"});
  EXPECT_EQ(met(*catalog, "/a/b"), "/a/b");
  EXPECT_EQ(met(*catalog, "/a/z"), "/a/{x} x=z");
  EXPECT_EQ(met(*catalog, "/a/b/c"), "/a/b/{y} y=c");
  EXPECT_EQ(met(*catalog, "/a/z/c"), "/a/{x}/c x=z");
  EXPECT_EQ(met(*catalog, "/a/z/d"), "/a/* *=z/d");
  EXPECT_EQ(met(*catalog, "/z/b/c"), "/{x}/b/c x=z");
  EXPECT_EQ(met(*catalog, "/z"), "/* *=z");
  EXPECT_EQ(met(*catalog, "/"), "/* *=");
}

TEST(Catalog, ComesBackFromABlindAlley) {
  const auto catalog = catalog_of({"/a/b/{y}/z", "/a/{x}/c"});
  EXPECT_EQ(met(*catalog, "/a/b/c"), "/a/{x}/c x=b");
}

TEST(Catalog, DecodesEachSegmentOnce) {
  const auto catalog = catalog_of({"/hello", "/gr\xC3\xBC\xC3\x9F", "/u/{id}"});
  EXPECT_EQ(met(*catalog, "/%68ello"), "/hello");
  EXPECT_EQ(met(*catalog, "/%68%65%6C%6c%6F"), "/hello");
  EXPECT_EQ(met(*catalog, "/gr%C3%BC%C3%9F"), "/gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(met(*catalog, "/%2568ello"), "not_found");
  EXPECT_EQ(met(*catalog, "/u/%2541"), "/u/{id} id=%41");
  EXPECT_EQ(met(*catalog, "/u%2F7"), "not_found");
}

TEST(Catalog, WhatDoesNotDecodeIsABadPath) {
  const auto catalog = catalog_of({"/hello", "/files/*"});
  for (const char* path : {"/%", "/%6", "/%zz", "/hello%00", "/files/%0", "/a%", "/%00"}) {
    EXPECT_EQ(met(*catalog, path), "bad_path") << path;
  }
  EXPECT_EQ(met(*catalog, std::string_view("/hel\0lo", 7)), "bad_path");
}

TEST(Catalog, EmptyAndDotSegmentsMeetNothing) {
  const auto catalog = catalog_of({"/a/b", "/{x}", "/{x}/{y}", "/files/*", "/*"});
  for (const char* path : {"//", "//a", "/a//b", "/files//x", "/files/x//y", "/..", "/.", "/a/..",
                           "/files/../x", "/%2e%2E/x", "/files/%2e", "/files/a/.%2e"}) {
    EXPECT_EQ(met(*catalog, path), "not_found") << path;
  }
  EXPECT_EQ(met(*catalog, "/..."), "/{x} x=...");
  EXPECT_EQ(met(*catalog, "/.a"), "/{x} x=.a");
}

TEST(Catalog, MethodsThatAreNotNamedAreRefused) {
  const auto catalog = Catalog::build({revision("a", "/a", {"GET", "POST"}),
                                       revision("b", "/b", {"HEAD", "GET"}), revision("c", "/c")})
                           .value();
  EXPECT_EQ(met(*catalog, "/a", "POST"), "/a");
  EXPECT_EQ(met(*catalog, "/a", "HEAD"), "/a");
  EXPECT_EQ(met(*catalog, "/a", "DELETE"), "allow GET, HEAD, POST");
  EXPECT_EQ(met(*catalog, "/a", "get"), "allow GET, HEAD, POST");
  EXPECT_EQ(met(*catalog, "/a", "OPTIONS"), "allow GET, HEAD, POST");
  EXPECT_EQ(met(*catalog, "/b", "POST"), "allow HEAD, GET");
  EXPECT_EQ(met(*catalog, "/c", "BREW"), "/c");
}

TEST(Catalog, OneRouteForTwoFunctionsIsAnError) {
  const auto same = Catalog::build({revision("a", "/x/{id}"), revision("b", "/x/{name}")});
  ASSERT_FALSE(same);
  EXPECT_THAT(same.error().message,
              AllOf(HasSubstr("'a'"), HasSubstr("'b'"), HasSubstr("/x/{name}")));
  EXPECT_FALSE(Catalog::build({revision("a", "/x/*"), revision("b", "/x/*")}));
  EXPECT_FALSE(Catalog::build({revision("a", "/x"), revision("b", "/x")}));
  EXPECT_TRUE(
      Catalog::build({revision("a", "/x/*"), revision("b", "/x/{n}"), revision("c", "/x/")}));
}

TEST(Catalog, TenThousandRoutesAreFoundWithoutAllocating) {
  constexpr int kRoutes = 10'000;
  std::vector<std::string> routes;
  for (int i = 0; i < kRoutes; ++i) routes.push_back(fmt::format("/api/v1/function-{}", i));
  routes.emplace_back("/users/{id}");
  const auto catalog = catalog_of(routes);

  const std::size_t before = allocations;
  const TimePoint begin = Clock::now();
  int found = 0;
  for (int i = 0; i < kRoutes; ++i) {
    const Match match = catalog->match("GET", routes[static_cast<std::size_t>(i)]);
    found += match.kind == Match::Kind::found && (*match.revision)->route == routes[i] ? 1 : 0;
  }
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(found, kRoutes);
  // Far above what it takes, far below a linear search.
  EXPECT_LT(Clock::now() - begin, std::chrono::milliseconds(500));
  EXPECT_EQ(met(*catalog, "/api/v1/function-10000"), "not_found");
  EXPECT_EQ(met(*catalog, "/users/%31"), "/users/{id} id=1");
}

std::shared_ptr<const Revision> hosted(const std::string& host, const std::string& route) {
  auto made = std::make_shared<Revision>(*revision(host + route, route));
  made->manifest.host = host;
  return made;
}

// The function that a host and path meet.
std::string met_at(const Catalog& catalog, std::string_view host, std::string_view path) {
  const Match match = catalog.match("GET", path, host);
  return match.kind == Match::Kind::found ? (*match.revision)->function->name : "";
}

TEST(Catalog, TheNearestHostComesFirst) {
  const auto catalog =
      Catalog::build({hosted("", "/a"), hosted("", "/b"), hosted("", "/{x}/y"),
                      hosted("api.example.com", "/a"), hosted("*.example.com", "/a"),
                      hosted("*.eu.example.com", "/a"), hosted("*.example.com", "/only")})
          .value();
  EXPECT_EQ(met_at(*catalog, "api.example.com", "/a"), "api.example.com/a");
  EXPECT_EQ(met_at(*catalog, "API.Example.COM:8000", "/a"), "api.example.com/a");
  EXPECT_EQ(met_at(*catalog, "api.example.com.", "/a"), "api.example.com/a");
  EXPECT_EQ(met_at(*catalog, "www.example.com", "/a"), "*.example.com/a");
  EXPECT_EQ(met_at(*catalog, "x.eu.example.com", "/a"), "*.eu.example.com/a");
  EXPECT_EQ(met_at(*catalog, "x.eu.example.com", "/only"), "*.example.com/only");
  EXPECT_EQ(met_at(*catalog, "example.com", "/a"), "/a");
  EXPECT_EQ(met_at(*catalog, "badexample.com", "/a"), "/a");
  EXPECT_EQ(met_at(*catalog, "api.example.com", "/b"), "/b");
  EXPECT_EQ(met_at(*catalog, "api.example.com", "/q/y"), "/{x}/y");
  EXPECT_EQ(met_at(*catalog, "[::1]:80", "/a"), "/a");
  EXPECT_EQ(met_at(*catalog, "", "/a"), "/a");
  EXPECT_EQ(met_at(*catalog, std::string(400, 'x'), "/a"), "/a");
  EXPECT_EQ(met_at(*catalog, std::string(400, '.'), "/a"), "/a");
  EXPECT_EQ(met_at(*catalog, "www.example.org", "/only"), "");
}

TEST(Catalog, OneRouteOnTwoHostsIsNoConflict) {
  EXPECT_TRUE(Catalog::build({hosted("a.example", "/a"), hosted("b.example", "/a")}));
  const auto twice = Catalog::build({hosted("a.example", "/{x}"), hosted("a.example", "/{y}")});
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message, HasSubstr("a.example/{y}: is that of both 'a.example/{x}'"));
}

TEST(Catalog, AHostCostsNoAllocation) {
  const auto catalog = Catalog::build({hosted("*.example.com", "/a")}).value();
  const std::size_t before = allocations;
  const Match match = catalog->match("GET", "/a", "api.example.com:8000");
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(match.is_static);
}

}  // namespace
}  // namespace funcd::registry
