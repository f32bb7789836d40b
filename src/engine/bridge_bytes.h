#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "funcd_bridge.h"

namespace funcd::engine {

// Bytes that the bridge has given, freed with their owner.
class BridgeBytes {
 public:
  BridgeBytes() = default;
  explicit BridgeBytes(fb_bytes bytes) : bytes_(bytes) {}
  BridgeBytes(const BridgeBytes&) = delete;
  BridgeBytes& operator=(const BridgeBytes&) = delete;
  ~BridgeBytes() { fb_bytes_free(bytes_); }

  // Where a call of the bridge puts its bytes; once.
  [[nodiscard]] fb_bytes* out() { return &bytes_; }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {bytes_.data, bytes_.size}; }
  [[nodiscard]] std::string text() const {
    return {reinterpret_cast<const char*>(bytes_.data), bytes_.size};
  }

 private:
  fb_bytes bytes_{nullptr, 0, 0};
};

}  // namespace funcd::engine
