#include "http/target.h"

#include <gtest/gtest.h>

namespace funcd::http {
namespace {

TEST(Target, TakesFormsApart) {
  struct Case {
    const char* method;
    const char* target;
    const char* path;
    const char* query;
    std::optional<std::string_view> authority;
  };
  for (const Case& c : {
           Case{"GET", "/", "/", "", {}},
           Case{"GET", "/a/b?x=1&y=?", "/a/b", "x=1&y=?", {}},
           Case{"GET", "/a?", "/a", "", {}},
           Case{"GET", "//evil.example/x", "//evil.example/x", "", {}},
           Case{"GET", "/%2e%2e/%00", "/%2e%2e/%00", "", {}},
           Case{"OPTIONS", "*", "*", "", {}},
           Case{"GET", "http://a.example/x?y", "/x", "y", "a.example"},
           Case{"GET", "HTTPS://[::1]:80", "/", "", "[::1]:80"},
           Case{"GET", "http://a.example?q", "/", "q", "a.example"},
           Case{"GET", "http://a.example:8000/", "/", "", "a.example:8000"},
       }) {
    const auto parts = parse_target(c.method, c.target);
    ASSERT_TRUE(parts.has_value()) << c.target;
    EXPECT_EQ(parts->path, c.path) << c.target;
    EXPECT_EQ(parts->query, c.query) << c.target;
    EXPECT_EQ(parts->authority, c.authority) << c.target;
  }
}

TEST(Target, RefusesOtherForms) {
  for (const char* target : {"",
                             "a",
                             "a/b",
                             "?x",
                             "*",
                             "*/",
                             "http:",
                             "http:/a",
                             "http://",
                             "http:///a",
                             "http://u@h/",
                             "http://u:p@h/",
                             "ftp://h/",
                             "http://h:99999/",
                             "http://h:8a/",
                             "http://h h/",
                             "/a#b",
                             "http://h/#b",
                             "example.com:80",
                             "http://[::1/",
                             "http://:80/",
                             "\\a"}) {
    EXPECT_FALSE(parse_target("GET", target).has_value()) << target;
  }
}

TEST(Host, IsAHostWithPerhapsAPort) {
  for (const char* host : {"", "a", "a.example", "a:80", "a:", "127.0.0.1:8000", "[::1]", "[::1]:8",
                           "xn--bcher-kva.example", "a_b", "a%20b"}) {
    EXPECT_TRUE(is_host(host)) << host;
  }
  for (const char* host :
       {"a b", "a/b", "a,b\x01", "u@a", "a:80:80", "a:x", "a:-1", "a:65536", ":80", "[", "[]",
        "[::1", "[::1]x", "[g/]", "a?b", "a#b", "a\\b", "\xC3\xA9"}) {
    EXPECT_FALSE(is_host(host)) << host;
  }
}

}  // namespace
}  // namespace funcd::http
