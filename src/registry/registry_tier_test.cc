#include <atomic>
#include <latch>

#include "testing/registry_fixture.h"

namespace funcd::registry {
namespace {

using engine::Tier;
using ::testing::HasSubstr;

// The baseline compiler knows no tail calls.
std::string command_with_tail_call() {
  return wasm_of(R"((module (memory (export "memory") 1)
    (func $f) (func (export "_start") (return_call $f))))");
}

// A reactor that starts from a snapshot; another artifact for each number.
std::string reactor(int number) {
  return wasm_of(
      fmt::format(R"((module (memory (export "memory") 1) (global $n (mut i32) (i32.const 0))
    (func (export "_initialize") (global.set $n (i32.const {})))
    (func (export "handle"))))",
                  number));
}

// A registry whose compilers work on threads of their own, as in a server.
class RegistryTierTest : public RegistryTest {
 protected:
  RegistryTierTest() {
    options_.compile = [this](std::span<const std::uint8_t> artifact, Tier tier,
                              const std::stop_token& stop) {
      ++compiled_;
      compiled_.notify_all();
      if (is_compiler_stuck_) {
        std::latch stopped(1);
        const std::stop_callback on_stop(stop, [&stopped] { stopped.count_down(); });
        stopped.wait();
        ++stopped_;
        stopped_.notify_all();
        return Result<std::vector<std::uint8_t>>(fail("stopped"));
      }
      if (is_compiler_broken_) return Result<std::vector<std::uint8_t>>(fail("out of bounds"));
      return the_engine().compile(artifact, tier);
    };
  }
  ~RegistryTierTest() override {
    for (std::jthread& lane : lanes_) lane.request_stop();
    stop();
  }
  void run_lanes() {
    for (const Tier tier : {Tier::baseline, Tier::optimized}) {
      lanes_.emplace_back(
          [this, tier](const std::stop_token& stop) { registry_->run_compiler(tier, stop); });
    }
    lanes_.emplace_back([this](const std::stop_token& stop) { registry_->run_snapshots(stop); });
  }
  SnapshotUse snapshot_at(std::string_view path) {
    const auto catalog = registry_->catalog();
    return (*catalog->match("GET", path).revision)->snapshot;
  }
  Tier tier_at(std::string_view path) {
    const auto catalog = registry_->catalog();
    return (*catalog->match("GET", path).revision)->program->facts().tier;
  }

  std::atomic<int> compiled_{0};
  std::atomic<bool> is_compiler_broken_{false};
  std::atomic<bool> is_compiler_stuck_{false};  // works until it is stopped
  std::atomic<int> stopped_{0};
  std::vector<std::jthread> lanes_;
};

TEST_F(RegistryTierTest, BaselineCodeIsLiveUntilOptimizedCodeIsThere) {
  folder_.write("a.wasm", command(1));
  start_and_wait();
  EXPECT_EQ(tier_at("/a"), Tier::baseline);
  EXPECT_EQ(status_of("a").code, "baseline");
  const auto published_at = status_of("a").published_at;
  run_lanes();
  ASSERT_TRUE(eventually([&] { return tier_at("/a") == Tier::optimized; }));
  EXPECT_EQ(status_of("a").code, "optimized");
  EXPECT_EQ(status_of("a").published_at, published_at);
}

TEST_F(RegistryTierTest, FunctionsOfOneArtifactAreOptimizedTogether) {
  folder_.write("a.wasm", command(1));
  folder_.write("b.wasm", command(1));
  start_and_wait();
  run_lanes();
  ASSERT_TRUE(eventually(
      [&] { return tier_at("/a") == Tier::optimized && tier_at("/b") == Tier::optimized; }));
  EXPECT_EQ(compiled_, 1);
}

TEST_F(RegistryTierTest, WhatBaselineRefusesWaitsForOptimizedCode) {
  folder_.write("a.wasm", command_with_tail_call());
  folder_.write("b.wasm", command(1));
  start();
  ASSERT_TRUE(eventually([&] { return serves("/b", command(1)); }));
  EXPECT_EQ(state_of("a"), "building");
  EXPECT_FALSE(registry_->status().is_first_scan_done);
  EXPECT_TRUE(registry_->is_building("/a"));
  run_lanes();
  ASSERT_TRUE(eventually([&] { return serves("/a", command_with_tail_call()); }));
  EXPECT_EQ(tier_at("/a"), Tier::optimized);
  EXPECT_TRUE(eventually([&] { return registry_->status().is_first_scan_done; }));
}

TEST_F(RegistryTierTest, CompilerThatFailsLeavesBaselineCodeLive) {
  is_compiler_broken_ = true;
  folder_.write("a.wasm", command(1));
  start_and_wait();
  run_lanes();
  compiled_.wait(0);
  EXPECT_EQ(state_of("a"), "live");
  EXPECT_EQ(tier_at("/a"), Tier::baseline);
}

TEST_F(RegistryTierTest, CompilerThatFailsIsAnErrorWhereThereIsNoBaseline) {
  is_compiler_broken_ = true;
  options_.baseline = Baseline::never;
  folder_.write("a.wasm", command(1));
  start();
  run_lanes();
  ASSERT_TRUE(eventually([&] { return state_of("a") == "failed: a.wasm: out of bounds"; }));
  EXPECT_EQ(compiled_, 1);
}

TEST_F(RegistryTierTest, NewArtifactTakesThePlaceOfOneThatWaits) {
  folder_.write("a.wasm", command_with_tail_call());
  start();
  ASSERT_TRUE(eventually([&] { return state_of("a") == "building"; }));
  folder_.write("a.wasm", command(2));
  ASSERT_TRUE(eventually([&] { return serves("/a", command(2)); }));
  run_lanes();
  ASSERT_TRUE(eventually([&] { return tier_at("/a") == Tier::optimized; }));
  EXPECT_TRUE(serves("/a", command(2)));
}

TEST_F(RegistryTierTest, WhatIsReplacedIsNotOptimizedToItsEnd) {
  is_compiler_stuck_ = true;
  folder_.write("a.wasm", command(1));
  start_and_wait();
  run_lanes();
  compiled_.wait(0);
  is_compiler_stuck_ = false;
  folder_.write("a.wasm", command(2));
  ASSERT_TRUE(
      eventually([&] { return serves("/a", command(2)) && tier_at("/a") == Tier::optimized; }));
  EXPECT_EQ(stopped_, 1);
}

TEST_F(RegistryTierTest, WhatIsGoneIsNotCompiledToItsEnd) {
  is_compiler_stuck_ = true;
  folder_.write("a.wasm", command_with_tail_call());
  start();
  run_lanes();
  compiled_.wait(0);
  folder_.remove("a.wasm");
  stopped_.wait(0);
  EXPECT_TRUE(eventually([&] { return state_of("a").empty(); }));
}

TEST_F(RegistryTierTest, SnapshotIsWaitedFor) {
  folder_.write("a.wasm", reactor(1));
  start();
  ASSERT_TRUE(eventually([&] { return state_of("a") == "building"; }));
  EXPECT_FALSE(registry_->status().is_first_scan_done);
  run_lanes();
  ASSERT_TRUE(eventually([&] { return registry_->status().is_first_scan_done; }));
  ASSERT_TRUE(serves("/a", reactor(1)));
  EXPECT_TRUE(snapshot_at("/a").is_used);
  EXPECT_EQ(compiled_, 2);  // for the build, and from its snapshot
}

TEST_F(RegistryTierTest, SnapshotUnderWayHoldsUpNobodyElse) {
  is_compiler_stuck_ = true;
  folder_.write("a.wasm", reactor(1));
  start();
  run_lanes();
  compiled_.wait(0);
  folder_.write("b.wasm", command(1));
  ASSERT_TRUE(eventually([&] { return serves("/b", command(1)); }));
  EXPECT_EQ(state_of("a"), "building");
}

TEST_F(RegistryTierTest, NewArtifactEndsTheSnapshotOfTheOldOne) {
  is_compiler_stuck_ = true;
  folder_.write("a.wasm", reactor(1));
  start();
  run_lanes();
  compiled_.wait(0);
  is_compiler_stuck_ = false;
  folder_.write("a.wasm", reactor(2));
  ASSERT_TRUE(eventually([&] { return serves("/a", reactor(2)); }));
  EXPECT_TRUE(snapshot_at("/a").is_used);
  EXPECT_EQ(stopped_, 1);
}

TEST_F(RegistryTierTest, FunctionThatIsGoneEndsItsSnapshot) {
  is_compiler_stuck_ = true;
  folder_.write("a.wasm", reactor(1));
  start();
  run_lanes();
  compiled_.wait(0);
  folder_.remove("a.wasm");
  ASSERT_TRUE(eventually([&] { return state_of("a").empty(); }));
  stopped_.wait(0);
  EXPECT_TRUE(registry_->status().is_first_scan_done);
}

TEST_F(RegistryTierTest, SnapshotIsMadeWhereThereIsNoBaseline) {
  options_.baseline = Baseline::never;
  folder_.write("a.wasm", reactor(1));
  start();
  run_lanes();
  ASSERT_TRUE(eventually([&] { return registry_->status().is_first_scan_done; }));
  ASSERT_TRUE(serves("/a", reactor(1)));
  EXPECT_TRUE(snapshot_at("/a").is_used);
  EXPECT_EQ(compiled_, 2);
}

TEST_F(RegistryTierTest, WithoutSnapshotAndBaselineItWaitsForOptimizedCode) {
  options_.baseline = Baseline::never;
  folder_.write("a.wasm", command(1));
  folder_.write("a.toml", "[snapshot]\nstart = true\n");
  start();
  run_lanes();
  ASSERT_TRUE(eventually([&] { return serves("/a", command(1)); }));
  EXPECT_THAT(snapshot_at("/a").reason, HasSubstr("of commands, those of Go"));
  EXPECT_EQ(compiled_, 1);
}

// With other limits another may come of it.
TEST_F(RegistryTierTest, NewSidecarEndsTheSnapshotOfTheOldOne) {
  is_compiler_stuck_ = true;
  folder_.write("a.wasm", reactor(1));
  folder_.write("a.toml", "[limits]\nmemory = \"1MiB\"\n");
  start();
  run_lanes();
  compiled_.wait(0);
  is_compiler_stuck_ = false;
  folder_.write("a.toml", "[limits]\nmemory = \"2MiB\"\n");
  ASSERT_TRUE(eventually([&] { return serves("/a", reactor(1)); }));
  EXPECT_TRUE(snapshot_at("/a").is_used);
  EXPECT_EQ(stopped_, 1);
}

TEST_F(RegistryTierTest, RouteIsKeptForWhoWaitsForASnapshot) {
  is_compiler_stuck_ = true;
  folder_.write("a.wasm", reactor(1));
  folder_.write("a.toml", "route = \"/x\"\n");
  folder_.write("b.wasm", command(1));
  folder_.write("b.toml", "route = \"/x\"\n");
  start();
  run_lanes();
  compiled_.wait(0);
  folder_.write("c.wasm", command(1));
  ASSERT_TRUE(eventually([&] { return serves("/c", command(1)); }));
  EXPECT_EQ(digest_at("/x"), "");
  folder_.remove("a.wasm");
  EXPECT_TRUE(eventually([&] { return serves("/x", command(1)); }));
}

TEST_F(RegistryTierTest, CanaryStaysUntilTheSnapshotOfItsFunctionIsThere) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello@2.wasm", command(2));
  folder_.write("hello@2.toml", "[canary]\nweight = \"5%\"\n");
  start_and_wait();
  is_compiler_stuck_ = true;
  run_lanes();
  folder_.write("hello.wasm", reactor(1));
  folder_.remove("hello@2.wasm");
  folder_.remove("hello@2.toml");
  ASSERT_TRUE(eventually([&] { return state_of("hello") == "building"; }));
  folder_.write("c.wasm", command(1));
  ASSERT_TRUE(eventually([&] { return serves("/c", command(1)); }));
  EXPECT_NE(registry_->catalog()->match("GET", "/hello").canary, nullptr);
}

TEST_F(RegistryTierTest, SnapshotThatCannotBeCompiledIsTriedOnce) {
  is_compiler_broken_ = true;
  folder_.write("a.wasm", reactor(1));
  start();
  run_lanes();
  ASSERT_TRUE(eventually([&] { return serves("/a", reactor(1)); }));
  EXPECT_FALSE(snapshot_at("/a").is_used);
  EXPECT_EQ(snapshot_at("/a").reason, "out of bounds");
}

}  // namespace
}  // namespace funcd::registry
