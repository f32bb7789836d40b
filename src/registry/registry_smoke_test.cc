#include <atomic>

#include "testing/registry_fixture.h"

namespace funcd::registry {
namespace {

using ::testing::HasSubstr;

constexpr const char* kSmoke = "[smoke]\npath = \"/\"\n";

// A registry whose smoke requests are answered when the test says so, and not before.
class RegistrySmokeTest : public RegistryTest {
 protected:
  static constexpr int kThreads = 2;

  RegistrySmokeTest() {
    options_.smoke = [this](const Revision& revision, const std::stop_token& stop) {
      return answer(revision, stop);
    };
  }
  ~RegistrySmokeTest() override {
    smokers_.clear();
    stop();
  }
  void start_with_smokers() {
    start();
    for (int thread = 0; thread < kThreads; ++thread) {
      smokers_.emplace_back([this](const std::stop_token& stop) { registry_->run_smokes(stop); });
    }
  }
  void put(const std::string& name, int number, const std::string& sidecar = kSmoke) {
    folder_.write(name + ".toml", sidecar);
    folder_.write(name + ".wasm", command(number));
  }
  void settle(int number, bool is_good) {
    const std::lock_guard lock(answers_mutex_);
    answers_[sha256_hex(command(number))] = is_good;
    answered_.notify_all();
  }
  bool is_asked(int number) {
    const std::lock_guard lock(answers_mutex_);
    return asked_[sha256_hex(command(number))] > 0;
  }
  int times_asked(int number) {
    const std::lock_guard lock(answers_mutex_);
    return asked_[sha256_hex(command(number))];
  }
  // As eventually(), for what the registry does not tell of.
  void wait_asked(int number) {
    std::unique_lock lock(answers_mutex_);
    const bool is_asked = answered_.wait_for(
        lock, std::chrono::seconds(20), [&] { return asked_[sha256_hex(command(number))] > 0; });
    ASSERT_TRUE(is_asked) << number;
  }
  void wait_given_up(int count) {
    std::unique_lock lock(answers_mutex_);
    ASSERT_TRUE(
        answered_.wait_for(lock, std::chrono::seconds(20), [&] { return given_up_ >= count; }));
  }

 private:
  Result<> answer(const Revision& revision, const std::stop_token& stop) {
    std::unique_lock lock(answers_mutex_);
    ++asked_[revision.digest];
    answered_.notify_all();
    if (!answered_.wait(lock, stop, [&] { return answers_.contains(revision.digest); })) {
      ++given_up_;
      answered_.notify_all();
      return fail("was given up");
    }
    if (answers_[revision.digest]) return {};
    return fail("its smoke request went wrong");
  }

  std::mutex answers_mutex_;
  std::condition_variable_any answered_;
  std::map<std::string, bool> answers_;  // by digest of the artifact
  std::map<std::string, int> asked_;
  int given_up_ = 0;
  std::vector<std::jthread> smokers_;
};

TEST_F(RegistrySmokeTest, ASlowAnswerHoldsUpNobodyElse) {
  put("slow", 1);
  start_with_smokers();
  ASSERT_NO_FATAL_FAILURE(wait_asked(1));
  put("plain", 2, "");
  ASSERT_TRUE(eventually([&] { return serves("/plain", command(2)); }));
  settle(3, true);
  put("quick", 3);
  ASSERT_TRUE(eventually([&] { return serves("/quick", command(3)); }));
  EXPECT_EQ(state_of("slow"), "building");
  EXPECT_FALSE(registry_->status().is_first_scan_done);
  EXPECT_TRUE(registry_->is_building("/slow"));
  settle(1, true);
  ASSERT_TRUE(eventually([&] { return registry_->status().is_first_scan_done; }));
  EXPECT_TRUE(serves("/slow", command(1)));
}

TEST_F(RegistrySmokeTest, WhatFailsLeavesTheOldOneLive) {
  settle(1, true);
  settle(2, false);
  put("a", 1);
  start_with_smokers();
  ASSERT_TRUE(eventually([&] { return serves("/a", command(1)); }));
  put("a", 2);
  ASSERT_TRUE(
      eventually([&] { return state_of("a") == "stale: a.wasm: its smoke request went wrong"; }));
  EXPECT_TRUE(serves("/a", command(1)));
  // The same file, put there again, is asked again.
  settle(2, true);
  put("a", 2);
  ASSERT_TRUE(eventually([&] { return serves("/a", command(2)); }));
}

TEST_F(RegistrySmokeTest, ANewerRevisionTakesThePlaceOfOneOnTrial) {
  settle(1, true);
  put("a", 1);
  start_with_smokers();
  ASSERT_TRUE(eventually([&] { return serves("/a", command(1)); }));
  put("a", 2);
  ASSERT_NO_FATAL_FAILURE(wait_asked(2));
  settle(3, true);
  put("a", 3);
  ASSERT_TRUE(eventually([&] { return serves("/a", command(3)); }));
  ASSERT_NO_FATAL_FAILURE(wait_given_up(1));
  settle(2, true);  // nobody waits for it any more
  put("b", 4, "");
  ASSERT_TRUE(eventually([&] { return serves("/b", command(4)); }));
  for (const auto& catalog : catalogs_) {
    const Match match = catalog->match("GET", "/a");
    if (match.kind != Match::Kind::found) continue;
    EXPECT_NE((*match.revision)->digest, sha256_hex(command(2)));
  }
}

TEST_F(RegistrySmokeTest, ANewerOneThatIsNoGoodEndsTheTrialToo) {
  settle(1, true);
  put("a", 1);
  start_with_smokers();
  ASSERT_TRUE(eventually([&] { return serves("/a", command(1)); }));
  put("a", 2);
  ASSERT_NO_FATAL_FAILURE(wait_asked(2));
  folder_.write("a.wasm", "no wasm");
  ASSERT_TRUE(eventually([&] { return state_of("a").starts_with("stale: a.wasm: "); }));
  ASSERT_NO_FATAL_FAILURE(wait_given_up(1));
  EXPECT_TRUE(serves("/a", command(1)));
}

TEST_F(RegistrySmokeTest, TheSameFileOnceMoreDoesNotBeginAnew) {
  put("a", 1);
  start_with_smokers();
  ASSERT_NO_FATAL_FAILURE(wait_asked(1));
  for (int times = 0; times < 3; ++times) {
    folder_.write(".a", command(1));  // whole at once, as half a file is another one
    folder_.rename(".a", "a.wasm");
  }
  put("b", 2, "");
  ASSERT_TRUE(eventually([&] { return serves("/b", command(2)); }));
  settle(1, true);
  ASSERT_TRUE(eventually([&] { return serves("/a", command(1)); }));
  EXPECT_EQ(times_asked(1), 1);
}

TEST_F(RegistrySmokeTest, WhatIsRemovedOnTrialIsNotServed) {
  put("a", 1);
  put("b", 2, "");
  start_with_smokers();
  ASSERT_NO_FATAL_FAILURE(wait_asked(1));
  folder_.remove("a.wasm");
  ASSERT_NO_FATAL_FAILURE(wait_given_up(1));
  settle(1, true);
  ASSERT_TRUE(eventually([&] { return registry_->status().is_first_scan_done; }));
  EXPECT_EQ(digest_at("/a"), "");
  put("a", 1);
  EXPECT_TRUE(eventually([&] { return serves("/a", command(1)); }));
}

TEST_F(RegistrySmokeTest, WhoWantsARouteOnTrialWaitsForIt) {
  const std::string route = "route = \"/x\"\n";
  put("a", 1, route + kSmoke);
  start_with_smokers();
  ASSERT_NO_FATAL_FAILURE(wait_asked(1));
  put("b", 2, route);
  put("c", 3, "");
  ASSERT_TRUE(eventually([&] { return serves("/c", command(3)); }));
  EXPECT_EQ(state_of("b"), "building");
  settle(1, false);
  ASSERT_TRUE(eventually([&] { return serves("/x", command(2)); }));
  EXPECT_THAT(state_of("a"), HasSubstr("its smoke request went wrong"));
}

TEST_F(RegistrySmokeTest, ARouteThatAnotherHasTakenMeanwhileIsAConflict) {
  const std::string route = "route = \"/x\"\n";
  put("b", 2, route + kSmoke);
  start_with_smokers();
  ASSERT_NO_FATAL_FAILURE(wait_asked(2));
  put("a", 1, route);
  ASSERT_TRUE(eventually([&] { return serves("/x", command(1)); }));
  settle(2, true);
  ASSERT_TRUE(eventually(
      [&] { return state_of("b").starts_with("failed: b.wasm: route /x is that of a.wasm"); }));
  EXPECT_TRUE(serves("/x", command(1)));
  folder_.remove("a.wasm");
  EXPECT_TRUE(eventually([&] { return serves("/x", command(2)); }));
}

TEST_F(RegistrySmokeTest, AsManyAsThereAreThreadsAreAskedAtOnce) {
  for (int number = 1; number <= kThreads + 1; ++number) put(fmt::format("f{}", number), number);
  start_with_smokers();
  for (int number = 1; number <= kThreads; ++number) {
    ASSERT_NO_FATAL_FAILURE(wait_asked(number));
  }
  EXPECT_FALSE(is_asked(kThreads + 1));
  settle(1, true);
  ASSERT_NO_FATAL_FAILURE(wait_asked(kThreads + 1));
}

TEST_F(RegistrySmokeTest, OnePassAsksOnItsOwnThread) {
  settle(1, true);
  settle(2, false);
  put("a", 1);
  put("b", 2);
  build();
  EXPECT_EQ(state_of("a"), "live");
  EXPECT_EQ(state_of("b"), "failed: b.wasm: its smoke request went wrong");
}

}  // namespace
}  // namespace funcd::registry
