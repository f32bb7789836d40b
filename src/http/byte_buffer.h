#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace funcd::http {

// Bytes that grow at the end, without a zeroing of what is about to be overwritten.
class ByteBuffer {
 public:
  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] bool is_empty() const { return size_ == 0; }

  // At least `bytes` to write to; what was written counts after commit().
  std::span<char> room(std::size_t bytes) {
    if (capacity_ - size_ < bytes) grow(bytes);
    return {bytes_.get() + size_, capacity_ - size_};
  }
  void commit(std::size_t bytes) { size_ += bytes; }

  void append(std::string_view text) {
    const std::span<char> space = room(text.size());
    if (!text.empty()) std::memcpy(space.data(), text.data(), text.size());
    size_ += text.size();
  }

  // Empty again; keeps its memory unless that is more than `keep_bytes_max`.
  void clear(std::size_t keep_bytes_max) {
    size_ = 0;
    if (capacity_ <= keep_bytes_max) return;
    bytes_.reset();
    capacity_ = 0;
  }

 private:
  void grow(std::size_t bytes) {
    const std::size_t capacity = std::max(size_ + bytes, capacity_ * 2);
    auto larger = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace funcd::http
