#pragma once

#include <cstdint>

namespace funcd::http {

// Bytes of bodies that the sessions of one server hold at a time: of requests that are collected
// and of responses that clients have not read. Owned by the server, on its loop's thread.
class HeldBytes {
 public:
  explicit HeldBytes(std::uint64_t max) : max_(max) {}

  [[nodiscard]] bool has_room(std::uint64_t bytes) const {
    return bytes <= max_ && held_ <= max_ - bytes;
  }

  // What one holder has of it; given back at its end.
  class Share {
   public:
    explicit Share(HeldBytes& all) : all_(all) {}
    ~Share() { hold(0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // From now on it holds so much, whether there is room or not.
    void hold(std::uint64_t bytes) {
      // The server may be gone before a holder that has nothing left.
      if (bytes == bytes_) return;
      all_.held_ += bytes - bytes_;
      bytes_ = bytes;
    }
    // Holds so much, unless that is more than there is room for.
    [[nodiscard]] bool try_hold(std::uint64_t bytes) {
      if (bytes > bytes_ && !all_.has_room(bytes - bytes_)) return false;
      hold(bytes);
      return true;
    }

   private:
    HeldBytes& all_;
    std::uint64_t bytes_ = 0;
  };

 private:
  std::uint64_t max_;
  std::uint64_t held_ = 0;
};

}  // namespace funcd::http
