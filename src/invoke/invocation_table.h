#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace funcd::invoke {

// Owns a worker's invocations. A key names one for ever: once it is gone its key finds nothing,
// though its slot is used again. That makes keys safe in posted handlers and wakers.
template <class T>
class InvocationTable {
 public:
  using Key = std::uint64_t;

  // Makes one that knows its key: T(key, args...).
  template <class... Args>
  T& emplace(Args&&... args) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    Slot& slot = slots_[index];
    const Key key = (static_cast<Key>(slot.generation) << 32) | index;
    slot.value = std::make_unique<T>(key, std::forward<Args>(args)...);
    ++size_;
    return *slot.value;
  }

  // The one of that key, or null when it is gone.
  [[nodiscard]] T* find(Key key) {
    Slot& slot = slots_[static_cast<std::uint32_t>(key)];
    return slot.generation == key >> 32 ? slot.value.get() : nullptr;
  }

  void erase(Key key) {
    const auto index = static_cast<std::uint32_t>(key);
    Slot& slot = slots_[index];
    // Out of the slot first: what the destructor calls may use the table.
    const std::unique_ptr<T> gone = std::move(slot.value);
    ++slot.generation;
    free_.push_back(index);
    --size_;
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint32_t generation = 0;
    std::unique_ptr<T> value;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace funcd::invoke
