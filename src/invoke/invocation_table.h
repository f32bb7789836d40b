#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace funcd::invoke {

// Owns a worker's invocations. A key names one for ever: once it is gone its key finds nothing,
// though its slot is used again. That makes keys safe in posted handlers and wakers. Slots keep
// their memory: as much as there were at once.
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
    ++size_;
    return slot.value.emplace(key, std::forward<Args>(args)...);
  }

  // The one of that key, or null when it is gone.
  [[nodiscard]] T* find(Key key) {
    Slot& slot = slots_[static_cast<std::uint32_t>(key)];
    return slot.generation == key >> 32 && slot.value ? &*slot.value : nullptr;
  }

  void erase(Key key) {
    const auto index = static_cast<std::uint32_t>(key);
    Slot& slot = slots_[index];
    // Found no more from here on: what the destructor calls may use the table.
    ++slot.generation;
    slot.value.reset();
    free_.push_back(index);
    --size_;
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint32_t generation = 0;
    std::optional<T> value;
  };
  std::deque<Slot> slots_;  // stay where they are
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace funcd::invoke
