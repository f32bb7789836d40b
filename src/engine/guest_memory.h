#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace funcd::engine {

// A guest's linear memory during one host call. Every offset and length comes from the guest: each
// access checks both against the memory's size at this moment. This is the sandbox's wall.
class GuestMemory {
 public:
  GuestMemory(std::uint8_t* base, std::size_t size) : base_(base), size_(size) {}

  // The bytes [offset, offset + size), or nothing when any of them is outside.
  [[nodiscard]] std::optional<std::span<std::uint8_t>> bytes(std::uint32_t offset,
                                                             std::uint64_t size) const {
    if (offset > size_ || size > size_ - offset) return std::nullopt;
    return std::span<std::uint8_t>(base_ + offset, size);
  }

  // A little-endian value. Nothing when it is outside or not aligned to its size, which WASI makes
  // a trap.
  template <class T>
  [[nodiscard]] std::optional<T> load(std::uint32_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto at = bytes(offset, sizeof(T));
    if (!at || offset % alignof(T) != 0) return std::nullopt;
    T value;
    std::memcpy(&value, at->data(), sizeof(T));
    return value;
  }
  // False when the place is outside or not aligned.
  template <class T>
  [[nodiscard]] bool store(std::uint32_t offset, T value) const {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto at = bytes(offset, sizeof(T));
    if (!at || offset % alignof(T) != 0) return false;
    std::memcpy(at->data(), &value, sizeof(T));
    return true;
  }

 private:
  std::uint8_t* base_;
  std::size_t size_;
};

}  // namespace funcd::engine
