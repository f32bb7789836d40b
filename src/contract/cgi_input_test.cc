#include "contract/cgi_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/test_call.h"

namespace funcd::contract {
namespace {

using ::testing::IsSupersetOf;
using ::testing::Pair;

TEST(CgiInput, VariablesOfARequest) {
  TestCall test;
  test.revision.route = "/hello";
  test.head.query = "a=1&b=%20";
  test.fields = {{"Host", "127.0.0.1:8000"}, {"X-Who", "ada"}};
  test.set_body("text/plain", "12345");
  test.head.method = "POST";
  EXPECT_THAT(test.environment(), IsSupersetOf({Pair("GATEWAY_INTERFACE", "CGI/1.1"),
                                                Pair("REQUEST_METHOD", "POST"),
                                                Pair("SCRIPT_NAME", "/hello"),
                                                Pair("PATH_INFO", ""),
                                                Pair("QUERY_STRING", "a=1&b=%20"),
                                                Pair("SERVER_NAME", "127.0.0.1"),
                                                Pair("SERVER_PORT", "8000"),
                                                Pair("SERVER_PROTOCOL", "HTTP/1.1"),
                                                Pair("SERVER_SOFTWARE", "funcd/" FUNCD_VERSION),
                                                Pair("REMOTE_ADDR", "127.0.0.1"),
                                                Pair("REMOTE_HOST", "127.0.0.1"),
                                                Pair("CONTENT_TYPE", "text/plain"),
                                                Pair("CONTENT_LENGTH", "5"),
                                                Pair("HTTP_HOST", "127.0.0.1:8000"),
                                                Pair("HTTP_X_WHO", "ada"),
                                                Pair("http_path", "/hello"),
                                                Pair("http_method", "POST"),
                                                Pair("http_host", "127.0.0.1:8000"),
                                                Pair("http_query", "a=1&b=%20"),
                                                Pair("remote_addr", "127.0.0.1:54321")}));
}

TEST(CgiInput, WithoutABodyThereIsNoContentLength) {
  TestCall test;
  test.head.version_minor = 0;
  const auto env = test.environment();
  EXPECT_FALSE(env.contains("CONTENT_LENGTH"));
  EXPECT_FALSE(env.contains("CONTENT_TYPE"));
  EXPECT_EQ(env.at("QUERY_STRING"), "");
  EXPECT_EQ(env.at("SERVER_PROTOCOL"), "HTTP/1.0");
}

TEST(CgiInput, ScriptIsTheStaticPartOfTheRoute) {
  const auto split = [](std::string route, std::string_view path) {
    TestCall test;
    test.revision.route = std::move(route);
    test.head.path = path;
    const auto env = test.environment();
    return env.at("SCRIPT_NAME") + "|" + env.at("PATH_INFO");
  };
  EXPECT_EQ(split("/hello", "/hello"), "/hello|");
  EXPECT_EQ(split("/users/{id}", "/users/7"), "/users|/7");
  EXPECT_EQ(split("/a/{x}/b/{y}", "/a/1/b/2"), "/a|/1/b/2");
  EXPECT_EQ(split("/files/*", "/files/a%20b/c"), "/files|/a b/c");
  EXPECT_EQ(split("/files/*", "/files"), "/files|");
  EXPECT_EQ(split("/files/*", "/files/"), "/files|/");
  EXPECT_EQ(split("/*", "/x/y"), "|/x/y");
  EXPECT_EQ(split("/\u00E9/*", "/%C3%A9/x"), "/\u00E9|/x");
  EXPECT_EQ(split("/files/*", "/%66iles/x"), "/files|/x");
}

TEST(CgiInput, RepeatedFieldsAreJoined) {
  TestCall test;
  test.fields = {
      {"Accept", "a"}, {"Cookie", "x=1"}, {"accept", "b"}, {"cookie", "y=2"}, {"ACCEPT", ""}};
  const auto env = test.environment();
  EXPECT_EQ(env.at("HTTP_ACCEPT"), "a, b, ");
  EXPECT_EQ(env.at("HTTP_COOKIE"), "x=1; y=2");
}

TEST(CgiInput, SomeFieldsMakeNoVariable) {
  TestCall test;
  test.fields = {{"Proxy", "http://evil.example"},
                 {"PROXY", "x"},
                 {"x_who", "mallory"},
                 {"x-who", "ada"},
                 {"Content-Length", "9"},
                 {"Connection", "close"},
                 {"a.b", "1"},
                 {"Transfer-Encoding", "chunked"}};
  const auto env = test.environment();
  EXPECT_EQ(env.at("HTTP_X_WHO"), "ada");
  for (const char* name : {"HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_CONNECTION", "HTTP_A.B",
                           "HTTP_TRANSFER_ENCODING"}) {
    EXPECT_FALSE(env.contains(name)) << name;
  }
}

TEST(CgiInput, NoRequestOverridesTheOperator) {
  TestCall test;
  test.revision.manifest.env = {
      {"HTTP_X_ROLE", "none"}, {"http_host", "fixed"}, {"DATA", "mine"}, {"REMOTE_ADDR", "hidden"}};
  test.fields = {{"X-Role", "admin"}};
  const auto env = test.environment();
  EXPECT_EQ(env.at("HTTP_X_ROLE"), "none");
  EXPECT_EQ(env.at("http_host"), "fixed");
  EXPECT_EQ(env.at("DATA"), "mine");
  EXPECT_EQ(env.at("REMOTE_ADDR"), "hidden");
}

TEST(CgiInput, HostsOfAllKinds) {
  const auto server = [](std::string_view host) {
    TestCall test;
    test.head.host = host;
    const auto env = test.environment();
    return env.at("SERVER_NAME") + "|" + env.at("SERVER_PORT");
  };
  EXPECT_EQ(server("example.com"), "example.com|80");
  EXPECT_EQ(server("example.com:8080"), "example.com|8080");
  EXPECT_EQ(server("[::1]"), "[::1]|80");
  EXPECT_EQ(server("[::1]:8000"), "[::1]|8000");
  EXPECT_EQ(server(""), "localhost|80");
  EXPECT_EQ(server("example.com:"), "example.com|80");
}

}  // namespace
}  // namespace funcd::contract
