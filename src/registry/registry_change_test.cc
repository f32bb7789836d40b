#include "testing/registry_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

namespace funcd::registry {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(RegistryTest, ADropIsLive) {
  start_and_wait();
  folder_.write("hello.wasm", command(1));
  EXPECT_TRUE(eventually([&] { return serves("/hello", command(1)); }));
  folder_.write("hello.wasm", command(2));
  EXPECT_TRUE(eventually([&] { return serves("/hello", command(2)); }));
  EXPECT_TRUE(eventually([&] { return state_of("hello") == "live"; }));
}

TEST_F(RegistryTest, ARenameOverIsLive) {
  folder_.write("hello.wasm", command(1));
  start_and_wait();
  folder_.write("new.part", command(2));
  folder_.rename("new.part", "hello.wasm");
  EXPECT_TRUE(eventually([&] { return serves("/hello", command(2)); }));
}

TEST_F(RegistryTest, ABrokenVersionLeavesTheOldOneLive) {
  folder_.write("hello.wasm", command(1));
  start_and_wait();
  folder_.write("hello.wasm", command(2).substr(0, 30));
  ASSERT_TRUE(eventually([&] { return state_of("hello").starts_with("stale: hello.wasm: "); }));
  EXPECT_TRUE(serves("/hello", command(1)));
  EXPECT_EQ(status_of("hello").digest, sha256_hex(command(1)));
  // The good one again: live without another build.
  const std::size_t catalogs = catalogs_.size();
  folder_.write("hello.wasm", command(1));
  ASSERT_TRUE(eventually([&] { return state_of("hello") == "live"; }));
  EXPECT_EQ(catalogs_.size(), catalogs);
  folder_.write("hello.wasm", command(2));
  EXPECT_TRUE(eventually([&] { return serves("/hello", command(2)); }));
}

TEST_F(RegistryTest, AFileThatIsBeingWrittenIsWaitedFor) {
  start_and_wait();
  const std::string artifact = command(1);
  std::ofstream writer(folder_ / "hello.wasm", std::ios::binary);
  writer << artifact.substr(0, 20) << std::flush;
  folder_.write("other.wasm", command(2));
  ASSERT_TRUE(eventually([&] { return serves("/other", command(2)); }));
  EXPECT_THAT(state_of("hello"), Not(HasSubstr("hello.wasm")));
  writer << artifact.substr(20) << std::flush;
  writer.close();
  EXPECT_TRUE(eventually([&] { return serves("/hello", artifact); }));
}

TEST_F(RegistryTest, ADeletedModuleIsRemovedAndMayComeBack) {
  folder_.write("hello.wasm", command(1));
  folder_.write("other.wasm", command(2));
  start_and_wait();
  const auto function = (*registry_->catalog()->match("GET", "/hello").revision)->function;
  folder_.remove("hello.wasm");
  ASSERT_TRUE(eventually([&] { return state_of("hello").empty() && digest_at("/hello").empty(); }));
  EXPECT_TRUE(serves("/other", command(2)));
  folder_.write("hello.wasm", command(1));
  ASSERT_TRUE(eventually([&] { return serves("/hello", command(1)); }));
  // Its numbers go on.
  EXPECT_EQ((*registry_->catalog()->match("GET", "/hello").revision)->function, function);
}

TEST_F(RegistryTest, DeletingAndCopyingAgainIsNoRemoval) {
  options_.removal_grace = seconds(60);
  folder_.write("hello.wasm", command(1));
  folder_.write("other.wasm", command(3));
  start_and_wait();
  folder_.remove("hello.wasm");
  folder_.write("other.wasm", command(4));
  ASSERT_TRUE(eventually([&] { return serves("/other", command(4)); }));
  EXPECT_TRUE(serves("/hello", command(1)));
  folder_.write("hello.wasm", command(2));
  EXPECT_TRUE(eventually([&] { return serves("/hello", command(2)); }));
}

TEST_F(RegistryTest, AMovedModuleTakesItsRouteAlong) {
  options_.removal_grace = seconds(60);
  folder_.write("a.wasm", command(1));
  folder_.write("a.toml", "route = \"/x\"");
  start_and_wait();
  folder_.rename("a.toml", "b.toml");
  folder_.rename("a.wasm", "b.wasm");
  ASSERT_TRUE(eventually([&] { return state_of("b") == "live" && state_of("a").empty(); }));
  EXPECT_TRUE(serves("/x", command(1)));
}

TEST_F(RegistryTest, ASourceThatIsLostLeavesEverythingLive) {
  options_.folder = folder_ / "functions";
  options_.timing.poll = milliseconds(10);
  folder_.write("functions/hello.wasm", command(1));
  start_and_wait();
  folder_.remove("functions");
  ASSERT_TRUE(eventually(
      [&] { return registry_->status().source_error.find("no such file") != std::string::npos; }));
  EXPECT_TRUE(serves("/hello", command(1)));
  EXPECT_EQ(registry_->status().source, folder_ / "functions");
  folder_.write("functions/hello.wasm", command(2));
  ASSERT_TRUE(eventually([&] { return serves("/hello", command(2)); }));
  EXPECT_EQ(registry_->status().source_error, "");
}

TEST_F(RegistryTest, ASidecarIsAChangeThatCompilesNothing) {
  folder_.write("hello.wasm", command(1));
  start_and_wait();
  const auto before = registry_->catalog();
  const auto program = (*before->match("GET", "/hello").revision)->program->share();
  folder_.write("hello.toml", "route = \"/moved\"\n[limits]\nconcurrency = 3\n");
  ASSERT_TRUE(eventually([&] { return serves("/moved", command(1)); }));
  EXPECT_EQ(digest_at("/hello"), "");
  const auto after = registry_->catalog();
  const auto& revision = *after->match("GET", "/moved").revision;
  EXPECT_EQ(revision->program->share(), program);
  EXPECT_EQ(revision->manifest.limits.concurrency, 3U);
  // What runs on the old catalog is unharmed.
  EXPECT_EQ((*before->match("GET", "/hello").revision)->manifest.limits.concurrency, 64U);
  folder_.remove("hello.toml");
  EXPECT_TRUE(eventually([&] { return serves("/hello", command(1)); }));
}

TEST_F(RegistryTest, ABrokenSidecarLeavesTheOldRevisionLive) {
  folder_.write("hello.wasm", command(1));
  start_and_wait();
  folder_.write("hello.toml", "\nrouet = \"/x\"\n");
  ASSERT_TRUE(eventually([&] { return state_of("hello").starts_with("stale: "); }));
  EXPECT_THAT(state_of("hello"),
              HasSubstr("hello.toml:2: unknown key 'rouet'; did you mean 'route'?"));
  EXPECT_TRUE(serves("/hello", command(1)));
  folder_.write("hello.toml", "route = \"/x\"\n");
  ASSERT_TRUE(eventually([&] { return serves("/x", command(1)); }));
}

TEST_F(RegistryTest, ATouchChangesNothing) {
  folder_.write("hello.wasm", command(1));
  folder_.write("other.wasm", command(2));
  start_and_wait();
  const auto revision = *registry_->catalog()->match("GET", "/hello").revision;
  folder_.write("hello.wasm", command(1));
  folder_.write("other.wasm", command(3));
  ASSERT_TRUE(
      eventually([&] { return serves("/other", command(3)) && state_of("hello") == "live"; }));
  EXPECT_EQ(*registry_->catalog()->match("GET", "/hello").revision, revision);
}

// As a user who is not root: root reads everything.
class UnprivilegedRegistryTest : public RegistryTest {
 protected:
  static constexpr uid_t kNobody = 65534;
  UnprivilegedRegistryTest() {
    if (!is_root_) return;
    EXPECT_EQ(::chown(folder_.path().c_str(), kNobody, kNobody), 0);
    EXPECT_EQ(::seteuid(kNobody), 0);
  }
  ~UnprivilegedRegistryTest() override {
    stop();
    if (is_root_) {
      EXPECT_EQ(::seteuid(0), 0);
    }
  }
  void allow(std::string_view name, mode_t mode) {
    ASSERT_EQ(::chmod((folder_ / name).c_str(), mode), 0);
  }
  const bool is_root_ = ::geteuid() == 0;
};

TEST_F(UnprivilegedRegistryTest, AFileThatCannotBeReadIsTriedAgain) {
  options_.timing.rescan = milliseconds(20);
  folder_.write("hello.wasm", command(1));
  allow("hello.wasm", 0);
  start_and_wait();
  EXPECT_THAT(state_of("hello"), HasSubstr("hello.wasm: cannot be opened: permission denied"));
  allow("hello.wasm", 0600);
  EXPECT_TRUE(eventually([&] { return state_of("hello") == "live"; }));
}

TEST_F(UnprivilegedRegistryTest, ASidecarThatCannotBeReadIsNotOverlooked) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello.toml", "route = \"/x\"");
  allow("hello.toml", 0);
  start_and_wait();
  EXPECT_THAT(state_of("hello"), HasSubstr("hello.toml: cannot be opened: permission denied"));
  EXPECT_EQ(digest_at("/hello"), "");
  allow("hello.toml", 0600);
  EXPECT_TRUE(eventually([&] { return serves("/x", command(1)); }));
}

TEST_F(UnprivilegedRegistryTest, AFolderThatCannotBeReadKeepsItsFunctions) {
  options_.removal_grace = milliseconds(0);
  folder_.write("api/hello.wasm", command(1));
  start_and_wait();
  allow("api", 0);
  ASSERT_TRUE(eventually([&] { return !registry_->status().problems.empty(); }));
  folder_.write("other.wasm", command(2));
  ASSERT_TRUE(eventually([&] { return serves("/other", command(2)); }));
  EXPECT_TRUE(serves("/api/hello", command(1)));
  EXPECT_THAT(registry_->status().problems[0].message,
              HasSubstr("cannot be read: permission denied"));
  allow("api", 0700);
  folder_.remove("api/hello.wasm");
  EXPECT_TRUE(eventually([&] { return digest_at("/api/hello").empty(); }));
}

TEST_F(RegistryTest, AThousandAtOnceArePublishedInBatches) {
  cache_ = storage::CodeCache::open(cache_folder_ / "code", 1ULL << 30).value();
  constexpr int kFunctions = 1000;
  start_and_wait();
  const std::string artifact = command(1);
  for (int i = 0; i < kFunctions; ++i) folder_.write(fmt::format("f{}.wasm", i), artifact);
  const TimePoint begin = Clock::now();
  ASSERT_TRUE(eventually([&] { return registry_->catalog()->revisions().size() == kFunctions; }));
  const auto elapsed = Clock::now() - begin;
  const std::lock_guard lock(mutex_);
  // One for each gap and each idle moment, never one for each function.
  EXPECT_LT(catalogs_.size(), kFunctions / 2);
  RecordProperty("elapsed_ms", std::to_string(elapsed.count() / 1'000'000));
  RecordProperty("catalogs", std::to_string(catalogs_.size()));
}

TEST_F(RegistryTest, RepeatedCopiesNeverLoseTheLastGoodVersion) {
  folder_.write("hello.wasm", command(0));
  start_and_wait();
  for (int i = 1; i <= 60; ++i) {
    const std::string artifact = command(i);
    folder_.write("hello.wasm", i % 2 == 0 ? artifact : artifact.substr(0, artifact.size() - 7));
    ASSERT_NE(digest_at("/hello"), "");
  }
  EXPECT_TRUE(eventually([&] { return serves("/hello", command(60)); }));
}

TEST_F(RegistryTest, PollingServesTheSame) {
  options_.watch_mode = WatchMode::polling;
  options_.timing.poll = milliseconds(10);
  folder_.write("hello.wasm", command(1));
  start_and_wait();
  EXPECT_TRUE(serves("/hello", command(1)));
  folder_.write("hello.wasm", command(2));
  ASSERT_TRUE(eventually([&] { return serves("/hello", command(2)); }));
  folder_.remove("hello.wasm");
  EXPECT_TRUE(eventually([&] { return state_of("hello").empty(); }));
}

TEST_F(RegistryTest, TheSameErrorIsLoggedOnce) {
  folder_.write("hello.wasm", "no");
  testing::internal::CaptureStderr();
  start_and_wait();
  folder_.write("hello.wasm", "no");
  folder_.write("other.wasm", command(1));
  ASSERT_TRUE(eventually([&] { return state_of("other") == "live"; }));
  ASSERT_TRUE(eventually([&] { return state_of("hello").starts_with("failed"); }));
  stop();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("function.rejected function=hello"));
  EXPECT_EQ(log.find("function.rejected"), log.rfind("function.rejected"));
  EXPECT_THAT(log, HasSubstr("function.published function=other route=/other digest=" +
                             sha256_hex(command(1)).substr(0, 12)));
}

}  // namespace
}  // namespace funcd::registry
