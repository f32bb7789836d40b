#pragma once

#include <cstdint>
#include <optional>

#include "engine/guest_state.h"
#include "funcd_bridge.h"

namespace funcd::engine {

// An instance of a wasi:http component, which an HttpTask makes, and gives away once it can answer
// another request. Nothing of the guest runs between two requests. Used by one thread at a time;
// what its task was made with outlives it, but for what belongs to one request.
class HttpInstance {
 public:
  HttpInstance() = default;
  ~HttpInstance();
  HttpInstance(const HttpInstance&) = delete;
  HttpInstance& operator=(const HttpInstance&) = delete;

  // How many requests it was given so far.
  [[nodiscard]] std::uint32_t requests() const { return requests_; }

 private:
  friend class HttpTask;

  // The bridge knows these by their addresses as long as the instance lives.
  std::optional<GuestState> state_;  // of the request that it answers
  fb_usage usage_{0, false};
  fb_http_instance* idle_ = nullptr;  // between two requests
  std::uint32_t requests_ = 0;
};

}  // namespace funcd::engine
