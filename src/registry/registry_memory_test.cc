#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "testing/registry_fixture.h"

namespace funcd::registry {
namespace {

namespace fs = std::filesystem;

// A registry with a cache, whose programs leave memory when they are not used.
class RegistryMemoryTest : public RegistryTest {
 protected:
  RegistryMemoryTest() {
    auto cache = storage::CodeCache::open(cache_folder_ / "cache", 64U << 20);
    EXPECT_TRUE(cache);
    cache_ = std::move(*cache);
    options_.unload_after = std::chrono::hours(1);
  }
  ~RegistryMemoryTest() override { end(); }

  void begin() {
    start_and_wait();
    loader_ = std::jthread([this](const std::stop_token& stop) { registry_->run_loader(stop); });
  }
  void end() {
    if (loader_.joinable()) {
      loader_.request_stop();
      loader_.join();
    }
    stop();
  }
  void restart() {
    end();
    begin();
  }
  std::shared_ptr<const Revision> revision_at(std::string_view path) {
    const auto catalog = registry_->catalog();
    const Match match = catalog->match("GET", path);
    return match.kind == Match::Kind::found ? *match.revision : nullptr;
  }
  Result<> load(const std::shared_ptr<const Revision>& revision) {
    auto promise = std::make_shared<std::promise<Result<>>>();
    auto loaded = promise->get_future();
    registry_->load(*revision,
                    [promise](Result<> outcome) { promise->set_value(std::move(outcome)); });
    return loaded.get();
  }
  // Calls it with each file of compiled code.
  void each_code_file(const std::function<void(const fs::path&)>& call) {
    for (const auto& file : fs::directory_iterator(cache_folder_ / "cache")) {
      if (file.path().extension() == ".cwasm") call(file.path());
    }
  }

  std::jthread loader_;
};

TEST_F(RegistryMemoryTest, WhatWasLiveBeforeBeginsOutOfMemory) {
  folder_.write("a.wasm", command(1));
  folder_.write("b.wasm", command(2));
  begin();
  EXPECT_TRUE(revision_at("/a")->program->is_loaded());
  folder_.write("c.wasm", command(3));
  ASSERT_TRUE(eventually([&] { return serves("/c", command(3)); }));
  restart();
  EXPECT_TRUE(serves("/a", command(1)));
  EXPECT_TRUE(serves("/c", command(3)));
  EXPECT_FALSE(revision_at("/a")->program->is_loaded());
  EXPECT_TRUE(status_of("a").is_from_cache);
  EXPECT_EQ(status_of("a").code, "optimized");
  EXPECT_EQ(status_of("a").artifact_bytes, command(1).size());
  ASSERT_TRUE(load(revision_at("/a")));
  EXPECT_TRUE(revision_at("/a")->program->pin()->has_export("_start"));
  EXPECT_FALSE(revision_at("/b")->program->is_loaded());
  EXPECT_EQ(registry_->program_counts().loads, 1U);
}

TEST_F(RegistryMemoryTest, WithoutUnloadingAllAreInMemoryBeforeTheyGoLive) {
  options_.unload_after = {};
  folder_.write("a.wasm", command(1));
  begin();
  restart();
  EXPECT_TRUE(revision_at("/a")->program->is_loaded());
}

TEST_F(RegistryMemoryTest, WhatIsNotUsedGoesAndComesBack) {
  options_.unload_after = std::chrono::milliseconds(20);
  folder_.write("a.wasm", command(1));
  begin();
  const auto revision = revision_at("/a");
  ASSERT_TRUE(eventually([&] { return !revision->program->is_loaded(); }));
  EXPECT_GE(registry_->program_counts().unloads, 1U);
  EXPECT_EQ(revision_at("/a"), revision);
  ASSERT_TRUE(load(revision));
}

TEST_F(RegistryMemoryTest, WhatRunsStays) {
  options_.unload_after = std::chrono::milliseconds(20);
  folder_.write("a.wasm", command(1));
  folder_.write("b.wasm", command(2));
  begin();
  const auto revision = revision_at("/a");
  auto pin = revision->program->pin();
  if (!pin) {  // it has gone already
    ASSERT_TRUE(load(revision));
    pin = revision->program->pin();
  }
  ASSERT_TRUE(pin);
  ASSERT_TRUE(eventually([&] { return !revision_at("/b")->program->is_loaded(); }));
  EXPECT_TRUE(pin->has_export("_start"));
}

TEST_F(RegistryMemoryTest, CodeThatTheCacheHasLostIsCompiledAgain) {
  folder_.write("a.wasm", command(1));
  begin();
  restart();
  const auto revision = revision_at("/a");
  ASSERT_FALSE(revision->program->is_loaded());
  each_code_file([](const fs::path& file) { fs::remove(file); });
  ASSERT_TRUE(load(revision));
  EXPECT_TRUE(revision->program->pin()->has_export("_start"));
  EXPECT_EQ(state_of("a"), "live");
}

TEST_F(RegistryMemoryTest, CodeThatIsDamagedIsCompiledAgain) {
  folder_.write("a.wasm", command(1));
  begin();
  restart();
  const auto revision = revision_at("/a");
  each_code_file([](const fs::path& file) {
    std::fstream code(file, std::ios::in | std::ios::out | std::ios::binary);
    code.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2));
    code.write("damage", 6);
  });
  ASSERT_TRUE(load(revision));
  EXPECT_TRUE(revision->program->pin()->has_export("_start"));
}

TEST_F(RegistryMemoryTest, ALostProgramWhoseArtifactIsGoneTooIsToldSo) {
  folder_.write("a.wasm", command(1));
  begin();
  restart();
  const auto revision = revision_at("/a");
  each_code_file([](const fs::path& file) { fs::remove(file); });
  folder_.write("a.wasm", "no module");
  ASSERT_TRUE(eventually([&] { return state_of("a").starts_with("stale"); }));
  const auto loaded = load(revision);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, ::testing::HasSubstr("its code is gone from the cache"));
  folder_.write("a.wasm", command(2));
  ASSERT_TRUE(eventually([&] { return serves("/a", command(2)); }));
}

TEST_F(RegistryMemoryTest, WhatIsReplacedOutOfMemoryIsTheNewOne) {
  folder_.write("a.wasm", command(1));
  begin();
  restart();
  const auto old = revision_at("/a");
  folder_.write("a.wasm", command(2));
  ASSERT_TRUE(eventually([&] { return serves("/a", command(2)); }));
  EXPECT_TRUE(revision_at("/a")->program->is_loaded());
  EXPECT_TRUE(load(old));  // who is on it goes on
}

// Same name, size and time of modification: the time of change tells.
TEST_F(RegistryMemoryTest, AFileThatWasChangedBetweenTwoRunsIsNotTakenForTheOld) {
  ASSERT_EQ(command(1).size(), command(2).size());
  folder_.write("a.wasm", command(1));
  begin();
  end();
  struct stat before {};
  ASSERT_EQ(::stat((folder_ / "a.wasm").c_str(), &before), 0);
  folder_.write("a.wasm", command(2));
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, (folder_ / "a.wasm").c_str(), times, 0), 0);
  begin();
  EXPECT_TRUE(serves("/a", command(2)));
}

TEST_F(RegistryMemoryTest, AnotherSidecarIsTriedAsIfItWereNew) {
  folder_.write("a.wasm", command_with_memory(4));
  begin();
  end();
  folder_.write("a.toml", "[limits]\nmemory = \"64KiB\"\n");
  begin();
  EXPECT_THAT(state_of("a"), ::testing::HasSubstr("more than its limit"));
}

TEST_F(RegistryMemoryTest, AnotherDefaultLimitIsTriedAsIfItWereNew) {
  folder_.write("a.wasm", command_with_memory(4));
  begin();
  end();
  options_.limits.memory_bytes = 64U << 10;
  begin();
  EXPECT_THAT(state_of("a"), ::testing::HasSubstr("more than its limit"));
}

TEST_F(RegistryMemoryTest, DamagedProofsCostTimeOnly) {
  folder_.write("a.wasm", command(1));
  begin();
  end();
  for (const auto& file : fs::directory_iterator(cache_folder_ / "cache")) {
    if (!file.path().filename().string().starts_with("proofs-")) continue;
    std::ofstream(file.path(), std::ios::app) << "more";
  }
  begin();
  EXPECT_TRUE(serves("/a", command(1)));
  EXPECT_TRUE(revision_at("/a")->program->is_loaded());
}

}  // namespace
}  // namespace funcd::registry
