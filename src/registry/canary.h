#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace funcd::registry {

// A canary is a revision that gets a share of its function's requests, beside the one that is live:
// "api/hello@2.wasm" is that of "api/hello", by its number. A name without '@' is no canary's.
struct CanaryName {
  std::string_view function;
  std::uint64_t number = 0;
  bool operator==(const CanaryName&) const = default;
};
inline constexpr std::uint64_t kCanaryNumberMax = 999'999'999;
[[nodiscard]] std::optional<CanaryName> canary_name_of(std::string_view name);

// Where a canary has a file of its own that its function has too: "item@2.schema.json" for
// "item.schema.json", "hello@2.wasm" for "hello.wasm".
[[nodiscard]] std::string canary_path(std::string_view path, std::uint64_t number);

// Shares are in hundredths of a percent.
inline constexpr std::uint32_t kWholeWeight = 10'000;

// What makes a client meet the same revision each time.
struct Stickiness {
  enum class Kind : std::uint8_t { none, cookie, header };
  Kind kind = Kind::none;
  std::string header = {};  // lower case
  bool operator==(const Stickiness&) const = default;
};

// [canary] of a canary's sidecar. Silent: it is built and tried, and gets no requests.
struct CanarySpec {
  std::uint32_t weight = 0;
  Stickiness sticky;
};

// "5%", "0.25%", "100%".
[[nodiscard]] Result<std::uint32_t> parse_weight(std::string_view text);
[[nodiscard]] std::string format_weight(std::uint32_t weight);
// "none", "cookie", "header:x-user".
[[nodiscard]] Result<Stickiness> parse_stickiness(std::string_view text);
[[nodiscard]] std::string format_stickiness(const Stickiness& sticky);

// Where a client stands among all, from 0 to kWholeWeight - 1: below the weight it meets the
// canary. A pure function of what names client and canary, so that all servers agree, and clients
// only move to the canary as its weight grows. `client` is a cookie's or header's value.
[[nodiscard]] std::uint32_t canary_point(std::string_view function, std::uint64_t number,
                                         std::string_view client);

}  // namespace funcd::registry
