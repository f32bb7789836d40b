#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace funcd::http {

// Memory that connections receive to, lent to those that have something to receive. One that waits
// for its next request holds none: many of them take little memory, and what one has used is used
// by the next while it is in the processor's caches. Owned by the sessions' host; its loop's thread
// only.
class BlockPool {
 public:
  static constexpr std::size_t kBlockBytes = 8 * 1024;
  static constexpr std::size_t kSpareMax = 64;  // more are freed

  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t capacity = 0;
  };

  [[nodiscard]] static Block make(std::size_t capacity) {
    return {std::make_unique_for_overwrite<char[]>(capacity), capacity};
  }

  // One of kBlockBytes: the one that was given back last.
  [[nodiscard]] Block take() {
    if (spare_.empty()) return make(kBlockBytes);
    Block block = std::move(spare_.back());
    spare_.pop_back();
    return block;
  }
  // Of any size; only those of kBlockBytes are kept.
  void give(Block block) {
    if (block.capacity == kBlockBytes && spare_.size() < kSpareMax) {
      spare_.push_back(std::move(block));
    }
  }
  [[nodiscard]] std::size_t spare() const { return spare_.size(); }

 private:
  std::vector<Block> spare_;
};

}  // namespace funcd::http
