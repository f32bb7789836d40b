#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "http/block_pool.h"

namespace funcd::http {

// What a session has received and not yet taken. Bytes lie in one block; while pinned, what was
// taken stays where it is too, so that views of a request's head and body hold until its response.
// The pool outlives all but the destructor.
class InputBuffer {
 public:
  static constexpr std::size_t kRoomBytesMin = 1024;

  explicit InputBuffer(BlockPool& pool) : pool_(pool) {}

  [[nodiscard]] std::string_view unread() const {
    return {block_.bytes.get() + begin_, end_ - begin_};
  }
  void consume(std::size_t bytes) { begin_ += bytes; }

  // Where to receive to: kRoomBytesMin at least, or nothing when `unread_bytes_max` are unread
  // already. May move the unread bytes. Not to be asked for again before commit().
  [[nodiscard]] std::span<char> room(std::size_t unread_bytes_max);
  void commit(std::size_t bytes) { end_ += bytes; }

  void pin() { is_pinned_ = true; }
  // What is taken from now on need not stay, but for what lies in the block of this moment.
  void pin_no_further() { is_pin_sealed_ = true; }
  void unpin();
  // Nothing is unread or pinned: holds no memory until room() is asked for.
  void release();

 private:
  using Block = BlockPool::Block;
  void move_to_block_of(std::size_t capacity);

  BlockPool& pool_;
  Block block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool is_pinned_ = false;
  bool is_pin_sealed_ = false;  // no block after this one is pinned
  std::vector<Block> pinned_;   // earlier blocks that pinned bytes lie in
};

}  // namespace funcd::http
