#pragma once

#include <cstdint>
#include <random>
#include <string_view>

#include "http/message.h"
#include "registry/revision.h"

namespace funcd::invoke {

// The cookie by which a client meets the same revision each time: sixteen hex digits that say
// nothing about it. One for all functions of a host; where its client stands among all differs from
// function to function.
inline constexpr std::string_view kCanaryCookie = "funcd-client";
inline constexpr int kCanaryCookieSeconds = 30 * 24 * 60 * 60;
// Of a cookie's or header's value: a longer one is none.
inline constexpr std::size_t kClientBytesMax = 1024;

// A client that is to be told who it is; 0: none is.
struct CanaryClient {
  std::uint64_t token = 0;
};
// Adds the cookie, where there is one to tell.
void add_client_cookie(http::Response& response, CanaryClient client);

// Whether a request meets a function or its canary. For one thread.
class CanaryChoice {
 public:
  explicit CanaryChoice(std::uint64_t seed) : random_(seed) {}

  struct Side {
    bool is_canary = false;
    CanaryClient client;  // drawn now, as the request did not say
  };
  // Who names itself stands where that name says, on every server. Everybody else is drawn.
  [[nodiscard]] Side choose(const http::RequestHead& head, const registry::Revision& canary);

 private:
  // Never 0.
  [[nodiscard]] std::uint64_t draw();

  std::mt19937_64 random_;
};

}  // namespace funcd::invoke
