#include "registry/compile_lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <string>
#include <thread>

#include "base/file.h"
#include "testing/temp_folder.h"

namespace funcd::registry {
namespace {

using ::testing::ElementsAre;
using Purpose = CompileLane::Purpose;

// A lane whose compiler gives back what it is given, and is through with what begins with "slow"
// only when it is stopped; the second time it is not slow any more.
class CompileLaneTest : public ::testing::Test {
 protected:
  CompileLaneTest()
      : lane_(
            engine::Tier::optimized,
            [this](std::span<const std::uint8_t> artifact, engine::Tier /*tier*/,
                   const std::stop_token& stop) {
              return compile(std::string(artifact.begin(), artifact.end()), stop);
            },
            1000, [this] { tell(); }) {}
  ~CompileLaneTest() override {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }

  Result<std::vector<std::uint8_t>> compile(const std::string& artifact,
                                            const std::stop_token& stop) {
    const std::vector<std::string> earlier = begun();
    const bool is_first = std::ranges::count(earlier, artifact) == 0;
    {
      const std::lock_guard lock(mutex_);
      begun_.push_back(artifact);
    }
    tell();
    if (is_first && artifact.starts_with("slow")) {
      std::latch stopped(1);
      const std::stop_callback on_stop(stop, [&stopped] { stopped.count_down(); });
      stopped.wait();
      return fail("stopped");
    }
    return std::vector<std::uint8_t>(artifact.begin(), artifact.end());
  }
  void tell() {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  std::vector<std::string> begun() {
    const std::lock_guard lock(mutex_);
    return begun_;
  }
  void wait_begun(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_.size() >= count; });
  }
  // What was compiled, until there are so many.
  std::vector<std::string> take(std::size_t count) {
    std::vector<std::string> code;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      for (CompileLane::Done& done : lane_.take()) {
        code.push_back(done.code ? std::string(done.code->begin(), done.code->end())
                                 : done.code.error().message);
      }
      return code.size() >= count;
    });
    return code;
  }

  std::string put(const std::string& name, const std::string& artifact) {
    folder_.write(name, artifact);
    return folder_ / name;
  }
  CompileLane::Job job(const std::string& artifact, Purpose purpose = Purpose::to_go_live) {
    return {.digest = sha256_hex(artifact),
            .paths = {put(artifact, artifact)},
            .bytes = artifact.size(),
            .purpose = purpose};
  }
  void run() {
    thread_ = std::jthread([this](const std::stop_token& stop) { lane_.run(stop); });
  }

  TempFolder folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> begun_;
  CompileLane lane_;
  std::jthread thread_;
};

TEST_F(CompileLaneTest, WhatIsToGoLiveComesFirstAndSmallBeforeLarge) {
  lane_.add(job("b", Purpose::to_be_better));
  lane_.add(job("live and large"));
  lane_.add(job("live"));
  run();
  EXPECT_THAT(take(3), ElementsAre("live", "live and large", "b"));
}

TEST_F(CompileLaneTest, WhatIsOnlyToBeBetterMakesWay) {
  run();
  lane_.add(job("slow", Purpose::to_be_better));
  wait_begun(1);
  lane_.add(job("live"));
  EXPECT_THAT(take(2), ElementsAre("live", "slow"));
  EXPECT_THAT(begun(), ElementsAre("slow", "live", "slow"));
}

TEST_F(CompileLaneTest, WhatHasMadeWayIsStillThereWhenItsFileIsNot) {
  run();
  auto slow = job("slow", Purpose::to_be_better);
  lane_.add(slow);
  wait_begun(1);
  (void)put("slow", "another");
  lane_.add(job("live"));
  EXPECT_THAT(take(2), ElementsAre("live", "slow"));
}

TEST_F(CompileLaneTest, WhatSomebodyWaitsForByNowDoesNotMakeWay) {
  run();
  lane_.add(job("slow", Purpose::to_be_better));
  wait_begun(1);
  lane_.add(job("slow"));
  lane_.add(job("live"));
  EXPECT_THAT(begun(), ElementsAre("slow"));
  lane_.keep_only({sha256_hex("live")});
  EXPECT_THAT(take(1), ElementsAre("live"));
}

TEST_F(CompileLaneTest, WhatIsCompiledIsNotAddedAgain) {
  run();
  lane_.add(job("slow"));
  wait_begun(1);
  lane_.add(job("slow"));
  thread_.request_stop();
  thread_.join();
  EXPECT_TRUE(lane_.take().empty());
  run();
  EXPECT_THAT(take(1), ElementsAre("slow"));
  lane_.add(job("larger, so that it comes last"));
  EXPECT_THAT(take(1), ElementsAre("larger, so that it comes last"));
  EXPECT_THAT(begun(), ElementsAre("slow", "slow", "larger, so that it comes last"));
}

TEST_F(CompileLaneTest, WhatNobodyWaitsForEnds) {
  run();
  lane_.add(job("slow"));
  wait_begun(1);
  lane_.add(job("waits"));
  lane_.add(job("wanted"));
  lane_.keep_only({sha256_hex("wanted")});
  EXPECT_THAT(take(1), ElementsAre("wanted"));
  EXPECT_THAT(begun(), ElementsAre("slow", "wanted"));
}

TEST_F(CompileLaneTest, ArtifactThatHasChangedIsNotFound) {
  auto gone = job("gone");
  (void)put("gone", "another");
  lane_.add(gone);
  run();
  EXPECT_THAT(take(1), ElementsAre("has changed while it waited for the compiler"));
}

}  // namespace
}  // namespace funcd::registry
