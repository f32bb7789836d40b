#include "registry/folder_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "testing/temp_folder.h"

namespace funcd::registry {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

// Longer than any test runs: what comes, comes by an event.
constexpr FolderTiming kEventsOnly{.rescan = seconds(60),
                                   .poll = seconds(60),
                                   .rescan_looks = 0,
                                   .poll_looks = 0,
                                   .quiet = seconds(60),
                                   .settle = milliseconds(30),
                                   .look_gap_min = milliseconds(1)};

class FolderSourceTest : public ::testing::Test {
 protected:
  FolderSourceTest() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  std::vector<std::string> look(FolderSource& source) {
    source.forget_touched();
    auto scan = source.look({});
    EXPECT_TRUE(scan) << scan.error().message;
    std::vector<std::string> names;
    for (Candidate& candidate : scan->candidates) names.push_back(candidate.name);
    last_ = std::move(*scan);
    return names;
  }
  // Whether a look becomes due; a test that waits in vain fails by this limit.
  bool is_woken(FolderSource& source) {
    const TimePoint limit = Clock::now() + seconds(5);
    source.wait(limit, wake_.get());
    return Clock::now() < limit;
  }

  TempFolder folder_;
  Descriptor wake_;
  FolderScan last_;
};

TEST_F(FolderSourceTest, ANewFileIsSeenAtOnce) {
  FolderSource source(folder_.path(), kEventsOnly, WatchMode::automatic);
  EXPECT_THAT(look(source), ElementsAre());
  EXPECT_FALSE(source.is_look_due());
  folder_.write("a.wasm", "1");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("a"));
  EXPECT_FALSE(source.is_periodic_look());
  EXPECT_TRUE(source.is_settled(last_.candidates[0].wasm));
  EXPECT_TRUE(source.is_touched(folder_ / "a.wasm"));
}

TEST_F(FolderSourceTest, NewFoldersAreWatchedToo) {
  FolderSource source(folder_.path(), kEventsOnly, WatchMode::automatic);
  look(source);
  folder_.make_folder("api/v1");
  ASSERT_TRUE(is_woken(source));
  look(source);
  folder_.write("api/v1/a.wasm", "1");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("api/v1/a"));
}

TEST_F(FolderSourceTest, AFolderThatIsMovedInIsSeenWithItsFiles) {
  const TempFolder elsewhere;
  elsewhere.write("in/a.wasm", "1");
  FolderSource source(folder_.path(), kEventsOnly, WatchMode::automatic);
  look(source);
  std::filesystem::rename(elsewhere / "in", folder_ / "in");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("in/a"));
  folder_.rename("in", "out");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("out/a"));
  folder_.write("out/b.wasm", "1");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("out/a", "out/b"));
  folder_.remove("out");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre());
}

TEST_F(FolderSourceTest, RenameAndDeleteAreSeen) {
  folder_.write("a.wasm", "1");
  FolderSource source(folder_.path(), kEventsOnly, WatchMode::automatic);
  look(source);
  folder_.rename("a.wasm", "b.wasm");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("b"));
  EXPECT_TRUE(source.is_touched(folder_ / "b.wasm"));
  folder_.remove("b.wasm");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre());
}

TEST_F(FolderSourceTest, AFileIsNotSettledUntilItsWriterClosesIt) {
  FolderSource source(folder_.path(), kEventsOnly, WatchMode::automatic);
  look(source);
  std::ofstream writer(folder_ / "a.wasm");
  writer << "half" << std::flush;
  folder_.write("other.wasm", "1");  // something else that is complete causes a look
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("a", "other"));
  EXPECT_FALSE(source.is_settled(last_.candidates[0].wasm));
  EXPECT_TRUE(source.is_settled(last_.candidates[1].wasm));
  EXPECT_FALSE(source.is_look_due());
  writer << "whole";
  writer.close();
  ASSERT_TRUE(is_woken(source));
  look(source);
  EXPECT_TRUE(source.is_settled(last_.candidates[0].wasm));
}

TEST_F(FolderSourceTest, AFileThatIsKeptOpenCountsAsWrittenAfterAQuietTime) {
  FolderTiming timing = kEventsOnly;
  timing.quiet = milliseconds(40);
  FolderSource source(folder_.path(), timing, WatchMode::automatic);
  look(source);
  std::ofstream writer(folder_ / "a.wasm");
  writer << "all" << std::flush;
  const TimePoint begin = Clock::now();
  ASSERT_TRUE(is_woken(source));
  EXPECT_GE(Clock::now() - begin, milliseconds(30));
  EXPECT_THAT(look(source), ElementsAre("a"));
  EXPECT_TRUE(source.is_settled(last_.candidates[0].wasm));
}

TEST_F(FolderSourceTest, LinksAreCompleteAtOnce) {
  const TempFolder elsewhere;
  elsewhere.write("x.wasm", "1");
  folder_.write("a.wasm", "1");
  FolderSource source(folder_.path(), kEventsOnly, WatchMode::automatic);
  look(source);
  folder_.link("soft.wasm", "a.wasm");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("a", "soft"));
  std::filesystem::create_hard_link(elsewhere / "x.wasm", folder_ / "hard.wasm");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("a", "hard", "soft"));
}

// Twice within one tick of the file system's clock, with the same size: the stamp may not tell.
TEST_F(FolderSourceTest, AWriteIsToldEvenIfTheStampIsTheSame) {
  folder_.write("a.wasm", "1");
  FolderSource source(folder_.path(), kEventsOnly, WatchMode::automatic);
  look(source);
  EXPECT_FALSE(source.is_touched(folder_ / "a.wasm"));
  folder_.write("a.wasm", "2");
  ASSERT_TRUE(is_woken(source));
  look(source);
  EXPECT_TRUE(source.is_touched(folder_ / "a.wasm"));
  source.forget_touched();
  EXPECT_FALSE(source.is_touched(folder_ / "a.wasm"));
}

TEST_F(FolderSourceTest, ALostQueueOfEventsCausesALook) {
  FolderSource source(folder_.path(), kEventsOnly, WatchMode::automatic);
  look(source);
  int limit = 16'384;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> limit;
  if (limit > 100'000) GTEST_SKIP() << "the queue holds " << limit;
  // Each is one event or more; none is read meanwhile.
  for (int i = 0; i <= limit; ++i) {
    const std::string path = folder_ / fmt::format("f{}", i % 100);
    if (i % 200 < 100)
      std::filesystem::create_symlink("x", path);
    else
      std::filesystem::remove(path);
  }
  folder_.write("after.wasm", "1");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("after"));
}

TEST_F(FolderSourceTest, AFolderThatGoesAndComesBackIsFound) {
  const std::string root = folder_ / "functions";
  folder_.write("functions/a.wasm", "1");
  FolderTiming timing = kEventsOnly;
  timing.poll = milliseconds(10);
  FolderSource source(root + "//", timing, WatchMode::automatic);
  look(source);
  folder_.remove("functions");
  ASSERT_TRUE(is_woken(source));
  EXPECT_FALSE(source.look({}));
  ASSERT_TRUE(is_woken(source));  // by time: there is nothing to watch
  EXPECT_FALSE(source.look({}));
  EXPECT_TRUE(source.is_periodic_look());
  folder_.write("functions/b.wasm", "1");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("b"));
  folder_.write("functions/c.wasm", "1");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("b", "c"));
}

TEST_F(FolderSourceTest, LooksFromTimeToTimeAnyway) {
  FolderTiming timing = kEventsOnly;
  timing.rescan = milliseconds(20);
  FolderSource source(folder_.path(), timing, WatchMode::automatic);
  look(source);
  ASSERT_TRUE(is_woken(source));
  look(source);
  EXPECT_TRUE(source.is_periodic_look());
}

TEST_F(FolderSourceTest, LooksThatTakeLongAreFarBetween) {
  FolderTiming timing = kEventsOnly;
  timing.rescan = timing.poll = milliseconds(1);
  // Of a look of a microsecond, which none is, a second.
  timing.rescan_looks = timing.poll_looks = 1'000'000;
  for (const WatchMode mode : {WatchMode::automatic, WatchMode::polling}) {
    FolderSource source(folder_.path(), timing, mode);
    look(source);
    source.wait(Clock::now() + milliseconds(20), wake_.get());
    EXPECT_FALSE(source.is_look_due());
  }
}

TEST_F(FolderSourceTest, LooksAreSpaced) {
  FolderTiming timing = kEventsOnly;
  timing.look_gap_min = milliseconds(50);
  FolderSource source(folder_.path(), timing, WatchMode::automatic);
  const TimePoint begin = Clock::now();
  look(source);
  folder_.write("a.wasm", "1");
  ASSERT_TRUE(is_woken(source));
  EXPECT_GE(Clock::now() - begin, timing.look_gap_min);
}

TEST_F(FolderSourceTest, WakesForItsOwner) {
  FolderSource source(folder_.path(), kEventsOnly, WatchMode::automatic);
  look(source);
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(wake_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  EXPECT_TRUE(is_woken(source));
  EXPECT_FALSE(source.is_look_due());
}

TEST_F(FolderSourceTest, PollingFindsChangesAndWaitsUntilTheySettle) {
  FolderTiming timing = kEventsOnly;
  timing.poll = milliseconds(10);
  FolderSource source(folder_.path(), timing, WatchMode::polling);
  look(source);
  folder_.write("a.wasm", "1");
  std::vector<std::string> names;
  const TimePoint begin = Clock::now();
  do {
    ASSERT_TRUE(is_woken(source));
    names = look(source);
  } while (names.empty() || !source.is_settled(last_.candidates[0].wasm));
  EXPECT_GE(Clock::now() - begin, timing.settle);
  EXPECT_THAT(names, ElementsAre("a"));
}

TEST_F(FolderSourceTest, PollingTakesOldFilesAtOnce) {
  folder_.write("a.wasm", "1");
  std::filesystem::last_write_time(folder_ / "a.wasm",
                                   std::filesystem::file_time_type::clock::now() - seconds(10));
  FolderSource source(folder_.path(), kEventsOnly, WatchMode::polling);
  look(source);
  EXPECT_TRUE(source.is_settled(last_.candidates[0].wasm));
}

TEST_F(FolderSourceTest, PollsWhereTheSystemCannotWatch) {
  FolderTiming timing = kEventsOnly;
  timing.poll = milliseconds(10);
  rlimit saved{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &saved), 0);
  rlimit none = saved;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  FolderSource source(folder_.path(), timing, WatchMode::automatic);
  ::setrlimit(RLIMIT_NOFILE, &saved);
  look(source);
  folder_.write("a.wasm", "1");
  ASSERT_TRUE(is_woken(source));
  EXPECT_THAT(look(source), ElementsAre("a"));
}

}  // namespace
}  // namespace funcd::registry
