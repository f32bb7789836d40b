#include "http/input_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace funcd::http {
namespace {

constexpr std::size_t kUnreadMax = 64 * 1024;

void receive(InputBuffer& buffer, std::string_view text) {
  const std::span<char> room = buffer.room(kUnreadMax);
  ASSERT_GE(room.size(), text.size());
  std::ranges::copy(text, room.begin());
  buffer.commit(text.size());
}

TEST(InputBuffer, LendsWhatItHasReleasedToTheNext) {
  BlockPool pool;
  InputBuffer first(pool);
  InputBuffer second(pool);
  receive(first, "one");
  EXPECT_EQ(pool.spare(), 0U);
  const char* const block = first.unread().data();
  first.pin();
  first.consume(3);
  first.unpin();
  first.release();
  EXPECT_EQ(pool.spare(), 1U);
  receive(second, "two");
  EXPECT_EQ(second.unread().data(), block);
  EXPECT_EQ(second.unread(), "two");
  EXPECT_EQ(pool.spare(), 0U);
  EXPECT_EQ(first.unread(), "");
  receive(first, "three");
  EXPECT_EQ(first.unread(), "three");
  EXPECT_EQ(second.unread(), "two");
}

TEST(InputBuffer, GivesBackBlocksThatWerePinned) {
  BlockPool pool;
  InputBuffer buffer(pool);
  buffer.pin();
  const std::string text(BlockPool::kBlockBytes - 1, 'x');
  receive(buffer, text);
  const std::string_view pinned = buffer.unread();
  buffer.consume(text.size());
  receive(buffer, "next");
  EXPECT_EQ(pinned, text);
  EXPECT_EQ(pool.spare(), 0U);
  buffer.unpin();
  EXPECT_EQ(pool.spare(), 1U);
}

TEST(BlockPool, KeepsSoManyAndNoLargeOnes) {
  BlockPool pool;
  pool.give(BlockPool::make(2 * BlockPool::kBlockBytes));
  EXPECT_EQ(pool.spare(), 0U);
  std::vector<BlockPool::Block> blocks;
  for (std::size_t i = 0; i < BlockPool::kSpareMax + 1; ++i) blocks.push_back(pool.take());
  for (BlockPool::Block& block : blocks) pool.give(std::move(block));
  EXPECT_EQ(pool.spare(), BlockPool::kSpareMax);
}

}  // namespace
}  // namespace funcd::http
