#include "registry/lazy_program.h"

#include <atomic>
#include <thread>

#include "registry/program_loader.h"
#include "testing/registry_fixture.h"

namespace funcd::registry {
namespace {

std::shared_ptr<const engine::Program> program() {
  const std::string wasm = command(1);
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(wasm.data()), wasm.size());
  auto code = the_engine().compile(bytes);
  EXPECT_TRUE(code);
  auto loaded = the_engine().load(*code, engine::FileAccess::none);
  EXPECT_TRUE(loaded);
  return std::make_shared<const engine::Program>(std::move(*loaded));
}

TEST(LazyProgram, IsDroppedWhenUnusedAndComesBack) {
  LazyProgram lazy({"code", {}}, program(), LazyProgram::Stay::while_in_use);
  EXPECT_TRUE(lazy.is_loaded());
  EXPECT_TRUE(lazy.unload_unused_since(Clock::now()));
  EXPECT_FALSE(lazy.is_loaded());
  EXPECT_FALSE(lazy.pin());
  EXPECT_EQ(lazy.share(), nullptr);
  EXPECT_EQ(lazy.facts().memory_bytes_min, 64U << 10);
  lazy.load(program());
  ASSERT_TRUE(lazy.pin());
  EXPECT_TRUE(lazy.pin()->has_export("_start"));
}

TEST(LazyProgram, StaysWhilePinned) {
  LazyProgram lazy({"code", {}}, program(), LazyProgram::Stay::while_in_use);
  {
    const auto pin = lazy.pin();
    const auto again = lazy.pin();
    EXPECT_FALSE(lazy.unload_unused_since(Clock::now()));
    EXPECT_TRUE(pin->has_export("_start"));
  }
  EXPECT_TRUE(lazy.unload_unused_since(Clock::now()));
}

TEST(LazyProgram, AUseLaterThanThatKeepsIt) {
  LazyProgram lazy({"code", {}}, program(), LazyProgram::Stay::while_in_use);
  const TimePoint later = Clock::now() + std::chrono::hours(1);
  EXPECT_TRUE(lazy.pin(later));
  EXPECT_FALSE(lazy.unload_unused_since(later - 2 * LazyProgram::kUseStep));
  EXPECT_TRUE(lazy.unload_unused_since(later));
}

TEST(LazyProgram, OneThatCannotComeBackStays) {
  LazyProgram lazy(program());
  EXPECT_FALSE(lazy.unload_unused_since(Clock::now() + std::chrono::hours(1)));
  EXPECT_TRUE(lazy.is_loaded());
}

// A program that is freed gives back its place among those that the engine has loaded.
TEST(LazyProgram, IsNeverFreedUnderAPin) {
  const std::uint32_t others = the_engine().programs_loaded();
  LazyProgram lazy({"code", {}}, program(), LazyProgram::Stay::while_in_use);
  std::atomic<bool> is_over = false;
  std::atomic<int> pinned = 0;
  std::atomic<int> dropped = 0;
  std::jthread unloader([&] {
    while (!is_over) {
      if (!lazy.unload_unused_since(TimePoint::max())) continue;
      ++dropped;
      lazy.load(program());
      std::this_thread::yield();
    }
  });
  std::vector<std::jthread> users;
  for (int user = 0; user < 2; ++user) {
    users.emplace_back([&] {
      for (int run = 0; run < 20'000 || dropped < 20 || pinned == 0; ++run) {
        if (const auto pin = lazy.pin()) {
          ++pinned;
          EXPECT_GT(the_engine().programs_loaded(), others);
          EXPECT_EQ(pin->exports().size(), 2U);
        }
      }
    });
  }
  users.clear();
  is_over = true;
  EXPECT_GT(pinned, 0);
}

TEST(ProgramTable, FunctionsOfOneArtifactShareItsProgram) {
  TempFolder folder;
  const auto cache = storage::CodeCache::open(folder / "cache", 64U << 20);
  ASSERT_TRUE(cache);
  ProgramLoader loader(the_engine(), cache->get(), LazyProgram::Stay::while_in_use);
  const CodeName code{std::string(64, 'a'), engine::FileAccess::none};
  const std::string wasm = command(1);
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(wasm.data()), wasm.size());
  const auto made = loader.compile(bytes, code);
  ASSERT_TRUE(made);
  EXPECT_EQ(loader.load_cached(code), *made);
  EXPECT_EQ(loader.table().counts().loads, 0U);
  const CodeName with_files{code.digest, engine::FileAccess::mounts};
  EXPECT_NE(loader.load_cached(with_files), *made);
}

TEST(ProgramTable, WhatIsUsedLeastMakesRoomForTheRest) {
  TempFolder folder;
  const auto engine = engine::Engine::create({.instances_max = 16, .programs_max = 20}).value();
  const auto cache = storage::CodeCache::open(folder / "cache", 64U << 20);
  ASSERT_TRUE(cache);
  ProgramLoader loader(*engine, cache->get(), LazyProgram::Stay::while_in_use);
  std::vector<std::shared_ptr<LazyProgram>> all;
  for (int number = 0; number < 50; ++number) {
    const std::string wasm = command(number);
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(wasm.data()), wasm.size());
    const CodeName code{sha256_hex(wasm), engine::FileAccess::none};
    const auto made = loader.compile(bytes, code);
    ASSERT_TRUE(made) << number << ": " << made.error().message;
    all.push_back(loader.lazy(code, *made));
  }
  EXPECT_LE(engine->programs_loaded(), 20U);
  EXPECT_FALSE(all.front()->is_loaded());
  EXPECT_TRUE(all.back()->is_loaded());
  EXPECT_GT(loader.table().counts().unloads, 0U);
  EXPECT_NE(loader.load_cached(all.front()->code()), nullptr);
}

}  // namespace
}  // namespace funcd::registry
