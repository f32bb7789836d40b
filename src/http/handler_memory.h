#pragma once

#include <array>
#include <cstddef>
#include <memory>

namespace funcd::http {

// Room for the one asynchronous operation of its kind that a session has under way, so that Asio
// allocates nothing for it. A member of what the operation's handler keeps alive.
class HandlerMemory {
 public:
  HandlerMemory() = default;
  HandlerMemory(const HandlerMemory&) = delete;
  HandlerMemory& operator=(const HandlerMemory&) = delete;

  void* allocate(std::size_t bytes) {
    if (!is_used_ && bytes <= room_.size()) {
      is_used_ = true;
      return room_.data();
    }
    return std::allocator<std::byte>().allocate(bytes);
  }
  void deallocate(void* memory, std::size_t bytes) {
    if (memory == room_.data()) {
      is_used_ = false;
    } else {
      std::allocator<std::byte>().deallocate(static_cast<std::byte*>(memory), bytes);
    }
  }

 private:
  static constexpr std::size_t kRoomBytes = 192;
  alignas(std::max_align_t) std::array<std::byte, kRoomBytes> room_;
  bool is_used_ = false;
};

// What a handler gives Asio as its associated allocator.
template <class T>
class HandlerAllocator {
 public:
  using value_type = T;

  explicit HandlerAllocator(HandlerMemory& memory) : memory_(&memory) {}
  template <class U>
  HandlerAllocator(const HandlerAllocator<U>& other) noexcept  // NOLINT: allocators convert
      : memory_(other.memory_) {}

  T* allocate(std::size_t count) { return static_cast<T*>(memory_->allocate(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t count) { memory_->deallocate(memory, count * sizeof(T)); }

  template <class U>
  bool operator==(const HandlerAllocator<U>& other) const noexcept {
    return memory_ == other.memory_;
  }

 private:
  template <class U>
  friend class HandlerAllocator;
  HandlerMemory* memory_;
};

}  // namespace funcd::http
