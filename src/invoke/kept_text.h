#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace funcd::invoke {

// What a guest writes to a stream that only people read: the first bytes of it, and how many more
// there were.
class KeptText {
 public:
  explicit KeptText(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  void add(std::span<const std::uint8_t> bytes) {
    const std::uint64_t room = bytes_max_ - text_.size();
    if (bytes.size() > room) {
      dropped_ += bytes.size() - room;
      bytes = bytes.first(static_cast<std::size_t>(room));
    }
    text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  std::uint64_t bytes_max_;
  std::string text_;
  std::uint64_t dropped_ = 0;
};

}  // namespace funcd::invoke
