#include "base/file_lock.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "base/clock.h"
#include "testing/temp_folder.h"

namespace funcd {
namespace {

using std::chrono::milliseconds;
using Kind = FolderLock::Kind;

constexpr milliseconds kLong{20'000};

bool waits_for(const std::string& folder, Kind kind) {
  constexpr milliseconds kShort{20};
  const TimePoint begin = Clock::now();
  const FolderLock lock(folder, kind, kShort);
  return Clock::now() - begin >= kShort;
}

TEST(FolderLock, ManyLookAtOnceAndOneReplaces) {
  const TempFolder folder;
  {
    const FolderLock one(folder.path(), Kind::to_look, kLong);
    EXPECT_FALSE(waits_for(folder.path(), Kind::to_look));
    EXPECT_TRUE(waits_for(folder.path(), Kind::to_replace));
  }
  {
    const FolderLock one(folder.path(), Kind::to_replace, kLong);
    EXPECT_TRUE(waits_for(folder.path(), Kind::to_look));
    EXPECT_TRUE(waits_for(folder.path(), Kind::to_replace));
  }
  EXPECT_FALSE(waits_for(folder.path(), Kind::to_replace));
}

TEST(FolderLock, WhoWaitsGoesOnWhenItIsFree) {
  const TempFolder folder;
  auto held = std::make_unique<FolderLock>(folder.path(), Kind::to_replace, kLong);
  std::jthread waiting([&] {
    const TimePoint begin = Clock::now();
    const FolderLock lock(folder.path(), Kind::to_replace, kLong);
    EXPECT_LT(Clock::now() - begin, kLong);
    EXPECT_TRUE(waits_for(folder.path(), Kind::to_look));
  });
  held.reset();
}

TEST(FolderLock, AFolderThatIsNotThereIsNotWaitedFor) {
  EXPECT_FALSE(waits_for("/nowhere", Kind::to_replace));
}

}  // namespace
}  // namespace funcd
