#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/guest.h"

struct fb_surroundings;

namespace funcd::engine {

// One place that a component may send requests to.
struct OutboundRule {
  enum class Scheme : std::uint8_t { http, https };
  Scheme scheme = Scheme::https;
  // Lower case, an address without brackets. "*.example.com" stands for every name below
  // example.com, "*" for every name.
  std::string host;
  std::uint16_t port = 443;

  friend bool operator==(const OutboundRule&, const OutboundRule&) = default;
};

// Bounds of each request that a component sends. The deadline of its run holds as well.
struct OutboundLimits {
  std::uint64_t request_bytes_max = 8ULL << 20;
  std::uint64_t response_bytes_max = 32ULL << 20;
  std::chrono::milliseconds connect_timeout{10'000};  // name resolution and TLS included
};

// Reads "https://api.example.com", "http://127.0.0.1:9000", "https://*.example.com": scheme, host
// and perhaps a port, nothing else.
[[nodiscard]] Result<OutboundRule> parse_outbound_rule(std::string_view text);

// As parse_outbound_rule() reads it, its port always there.
[[nodiscard]] std::string text_of(const OutboundRule& rule);

// What a component may see and reach beside its request. One for each revision, shared by its runs;
// immutable and thread-safe.
class Surroundings {
 public:
  struct Spec {
    std::span<const std::pair<std::string, std::string>> env{};
    std::span<const Mount> mounts{};
    // Who may be sent requests. Empty: nobody. An address that is private, loopback or link-local
    // is reached only where a rule names the address itself, or is for "localhost".
    std::span<const OutboundRule> outbound{};
    OutboundLimits outbound_limits{};
  };
  explicit Surroundings(const Spec& spec);
  Surroundings(Surroundings&& other) noexcept;
  Surroundings& operator=(Surroundings&& other) noexcept;
  ~Surroundings();

 private:
  friend class HttpTask;
  fb_surroundings* surroundings_ = nullptr;
};

}  // namespace funcd::engine
