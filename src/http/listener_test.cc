#include "http/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

namespace funcd::http {
namespace {

using ::testing::HasSubstr;

TEST(Endpoint, IsHostAndPort) {
  struct Case {
    const char* text;
    const char* host;
    int port;
  };
  for (const Case& c : {Case{"127.0.0.1:8000", "127.0.0.1", 8000}, Case{"[::1]:0", "::1", 0},
                        Case{"localhost:65535", "localhost", 65535}, Case{"h:08", "h", 8}}) {
    const Result<Endpoint> endpoint = parse_endpoint(c.text);
    ASSERT_TRUE(endpoint.has_value()) << c.text;
    EXPECT_EQ(endpoint->host, c.host);
    EXPECT_EQ(endpoint->port, c.port);
  }
}

TEST(Endpoint, SaysWhatIsWrong) {
  for (const char* text :
       {"", ":", "8000", "localhost", ":8000", "h:", "h:65536", "h:-1", "h:+1", "h:1x", "h: 1",
        "::1:80", "[::1", "[::1]", "[]:80", "a b:80", "a\n:80", "http://127.0.0.1:8000"}) {
    const Result<Endpoint> endpoint = parse_endpoint(text);
    ASSERT_FALSE(endpoint.has_value()) << text;
    EXPECT_THAT(endpoint.error().message, HasSubstr("address '" + std::string(text) + "'"));
  }
}

TEST(Endpoint, AUrlIsToldHowToWriteIt) {
  EXPECT_THAT(parse_endpoint("http://127.0.0.1:8000").error().message,
              HasSubstr("is a URL; write host and port alone"));
}

TEST(Endpoint, FormatsAsItParses) {
  EXPECT_EQ(format_endpoint({"127.0.0.1", 80}), "127.0.0.1:80");
  EXPECT_EQ(format_endpoint({"::1", 80}), "[::1]:80");
}

TEST(Listener, PicksAFreePortAndSharesIt) {
  const Result<std::vector<Listener>> listeners = Listener::bind_all({"127.0.0.1", 0}, 3);
  ASSERT_TRUE(listeners.has_value());
  ASSERT_EQ(listeners->size(), 3U);
  const Endpoint& endpoint = listeners->front().endpoint();
  EXPECT_NE(endpoint.port, 0);
  for (const Listener& listener : *listeners) EXPECT_EQ(listener.endpoint().port, endpoint.port);
  EXPECT_TRUE(Listener::bind(endpoint).has_value());
}

TEST(Listener, APortInUseIsAnErrorThoughItCouldBeShared) {
  const Result<Listener> first = Listener::bind({"127.0.0.1", 0});
  ASSERT_TRUE(first.has_value());
  const Result<std::vector<Listener>> second = Listener::bind_all(first->endpoint(), 2);
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message,
              HasSubstr("listen on " + format_endpoint(first->endpoint()) +
                        ": address already in use; stop what listens there"));
}

TEST(Listener, FreesItsPort) {
  Endpoint endpoint;
  {
    const Result<std::vector<Listener>> first = Listener::bind_all({"127.0.0.1", 0}, 2);
    ASSERT_TRUE(first.has_value());
    endpoint = first->front().endpoint();
  }
  EXPECT_TRUE(Listener::bind_all(endpoint, 2).has_value());
}

TEST(Listener, SaysWhichHostCannotBeHad) {
  const Result<Listener> unknown = Listener::bind({"no-such-host.invalid", 80});
  ASSERT_FALSE(unknown.has_value());
  EXPECT_THAT(unknown.error().message, HasSubstr("no-such-host.invalid:80"));
  const Result<Listener> foreign = Listener::bind({"192.0.2.1", 0});
  ASSERT_FALSE(foreign.has_value());
  EXPECT_THAT(foreign.error().message, HasSubstr("does not have that address"));
}

TEST(Listener, GivesItsDescriptorAway) {
  Result<Listener> listener = Listener::bind({"127.0.0.1", 0});
  ASSERT_TRUE(listener.has_value());
  Listener moved = std::move(*listener);
  const int descriptor = moved.release();
  int is_listening = 0;
  socklen_t length = sizeof(is_listening);
  EXPECT_EQ(getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length), 0);
  EXPECT_EQ(is_listening, 1);
  ::close(descriptor);
}

}  // namespace
}  // namespace funcd::http
