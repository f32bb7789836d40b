#include "invoke/canary_choice.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace funcd::invoke {
namespace {

using registry::Stickiness;

std::string_view usable(std::string_view value) {
  return value.size() <= kClientBytesMax ? value : std::string_view();
}

// Of the first cookie of that name (RFC 6265 5.4); "" without one.
std::string_view cookie_of(const http::RequestHead& head) {
  for (const http::Field& field : head.fields) {
    if (!http::equals_ignoring_case(field.name, "cookie")) continue;
    std::string_view left = field.value;
    while (!left.empty()) {
      std::string_view pair = left.substr(0, left.find(';'));
      left.remove_prefix(std::min(pair.size() + 1, left.size()));
      while (pair.starts_with(' ') || pair.starts_with('\t')) pair.remove_prefix(1);
      if (!pair.starts_with(kCanaryCookie)) continue;
      pair.remove_prefix(kCanaryCookie.size());
      if (pair.starts_with('=')) return usable(pair.substr(1));
    }
  }
  return {};
}

std::string_view client_of(const http::RequestHead& head, const Stickiness& sticky) {
  switch (sticky.kind) {
    case Stickiness::Kind::cookie:
      return cookie_of(head);
    case Stickiness::Kind::header:
      return usable(head.field(sticky.header).value_or(""));
    default:
      return {};
  }
}

std::string token_text(std::uint64_t token) {
  return fmt::format("{:016x}", token);
}

}  // namespace

void add_client_cookie(http::Response& response, CanaryClient client) {
  if (client.token == 0) return;
  CHECK(response.fields.add(
      "set-cookie", fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax", kCanaryCookie,
                                token_text(client.token), kCanaryCookieSeconds)));
}

CanaryChoice::Side CanaryChoice::choose(const http::RequestHead& head,
                                        const registry::Revision& canary) {
  const registry::CanarySpec& spec = *canary.manifest.canary;
  if (spec.weight == 0) return {};
  const registry::Function& function = *canary.function;
  Side side;
  const auto stands_below = [&](std::string_view client) {
    return registry::canary_point(function.name, function.canary, client) < spec.weight;
  };
  if (const std::string_view client = client_of(head, spec.sticky); !client.empty()) {
    side.is_canary = stands_below(client);
    return side;
  }
  const std::uint64_t token = draw();
  side.is_canary = stands_below(token_text(token));
  if (spec.sticky.kind == Stickiness::Kind::cookie) side.client.token = token;
  return side;
}

std::uint64_t CanaryChoice::draw() {
  std::uint64_t drawn = 0;
  while (drawn == 0) drawn = random_();
  return drawn;
}

}  // namespace funcd::invoke
