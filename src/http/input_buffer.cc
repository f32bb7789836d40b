#include "http/input_buffer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace funcd::http {

void InputBuffer::unpin() {
  is_pinned_ = is_pin_sealed_ = false;
  if (pinned_.empty()) return;
  for (Block& block : pinned_) pool_.give(std::move(block));
  pinned_.clear();
}

void InputBuffer::release() {
  CHECK(begin_ == end_ && !is_pinned_ && pinned_.empty());
  pool_.give(std::exchange(block_, Block{}));
  begin_ = end_ = 0;
}

std::span<char> InputBuffer::room(std::size_t unread_bytes_max) {
  const std::size_t unread = end_ - begin_;
  if (unread >= unread_bytes_max) return {};
  if (!is_pinned_) {
    // A block that one large request has needed is not kept for the small ones after it.
    if (unread == 0 && block_.capacity > BlockPool::kBlockBytes) block_ = Block{};
    if (unread == 0 || block_.capacity - end_ < kRoomBytesMin) {
      if (unread > 0) std::memmove(block_.bytes.get(), block_.bytes.get() + begin_, unread);
      begin_ = 0;
      end_ = unread;
    }
  }
  if (block_.capacity - end_ < kRoomBytesMin) {
    move_to_block_of(std::max(BlockPool::kBlockBytes, std::bit_ceil(unread + 2 * kRoomBytesMin)));
  }
  return {block_.bytes.get() + end_, block_.capacity - end_};
}

void InputBuffer::move_to_block_of(std::size_t capacity) {
  Block block = capacity == BlockPool::kBlockBytes ? pool_.take() : BlockPool::make(capacity);
  const std::size_t unread = end_ - begin_;
  if (unread > 0) std::memcpy(block.bytes.get(), block_.bytes.get() + begin_, unread);
  if (is_pinned_ && block_.capacity > 0) {
    pinned_.push_back(std::move(block_));
    is_pinned_ = !is_pin_sealed_;
  }
  block_ = std::move(block);
  begin_ = 0;
  end_ = unread;
}

}  // namespace funcd::http
