#include "storage/kv_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "testing/temp_folder.h"

namespace funcd::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// A store with its thread.
class RunningStore {
 public:
  explicit RunningStore(const std::string& path, KvLimits limits = {})
      : store_(path, limits), thread_([this](const std::stop_token& stop) { store_.run(stop); }) {}

  std::variant<KvSnapshot, KvFailure> try_read(const std::string& name) {
    std::promise<std::variant<KvSnapshot, KvFailure>> done;
    store_.read(name, [&done](auto result) { done.set_value(std::move(result)); });
    return done.get_future().get();
  }
  KvMap read(const std::string& name) { return *std::get<KvSnapshot>(try_read(name)); }
  std::optional<KvFailure> write(const std::string& name, KvChange change) {
    std::promise<std::optional<KvFailure>> done;
    store_.write(name, std::move(change), [&done](auto failure) { done.set_value(failure); });
    return done.get_future().get();
  }
  SqliteKvStore& operator*() { return store_; }

 private:
  SqliteKvStore store_;
  std::jthread thread_;
};

TEST(KvMap, ADifferenceNamesWhatDiffers) {
  const KvChange change =
      difference({{"a", "1"}, {"b", "2"}, {"c", "3"}}, {{"b", "2"}, {"c", "4"}, {"d", ""}});
  EXPECT_THAT(change.set, ElementsAre(Pair("c", "4"), Pair("d", "")));
  EXPECT_THAT(change.removed, ElementsAre("a"));
  EXPECT_TRUE(difference({{"a", "1"}}, {{"a", "1"}}).is_empty());
}

TEST(KvStore, ChangesAreKeptAcrossOpenings) {
  const TempFolder folder;
  const std::string path = folder / "below/kv.sqlite";
  const std::string odd("\0\xC3\xA9'", 4);
  {
    RunningStore store(path);
    EXPECT_TRUE(store.read("a").empty());
    EXPECT_EQ(store.write("a", {{{"k", "v"}, {"gone", "x"}, {odd, odd}}, {}}), std::nullopt);
    EXPECT_EQ(store.write("a", {{{"k", "w"}}, {"gone", "never"}}), std::nullopt);
    EXPECT_EQ(store.write("b", {{{"k", "other"}}, {}}), std::nullopt);
  }
  RunningStore store(path);
  EXPECT_EQ(store.read("a"), (KvMap{{"k", "w"}, {odd, odd}}));
  EXPECT_THAT(store.read("b"), ElementsAre(Pair("k", "other")));
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));
}

TEST(KvStore, WhatIsWrittenIsKnownAtOnce) {
  const TempFolder folder;
  RunningStore store(folder / "kv.sqlite");
  EXPECT_EQ((*store).read_now("a"), nullptr);
  EXPECT_EQ(store.write("a", {{{"k", "v"}}, {}}), std::nullopt);
  const KvSnapshot known = (*store).read_now("a");
  if (known) {  // a slow machine may ask too late
    EXPECT_THAT(*known, ElementsAre(Pair("k", "v")));
  }
  EXPECT_THAT(store.read("a"), ElementsAre(Pair("k", "v")));
}

TEST(KvStore, ConcurrentChangesOfTwoProcessesKeepEachOthersKeys) {
  const TempFolder folder;
  RunningStore one(folder / "kv.sqlite");
  RunningStore two(folder / "kv.sqlite");
  constexpr int kKeys = 200;
  std::vector<std::jthread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      RunningStore& store = writer % 2 == 0 ? one : two;
      for (int i = 0; i < kKeys; ++i) {
        const std::string key = fmt::format("{}-{}", writer, i);
        EXPECT_EQ(store.write("shared", {{{key, "v"}}, {}}), std::nullopt);
      }
    });
  }
  writers.clear();
  EXPECT_EQ(one.read("shared").size(), 4U * kKeys);
  EXPECT_EQ(two.read("shared"), one.read("shared"));
}

TEST(KvStore, AChangeThatIsTooLargeChangesNothing) {
  const TempFolder folder;
  RunningStore store(folder / "kv.sqlite", {.store_bytes_max = 10});
  EXPECT_EQ(store.write("a", {{{"k", "123456789"}}, {}}), std::nullopt);
  const auto failure = store.write("a", {{{"k", "1"}, {"l", "123456789"}}, {}});
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->kind, KvFailure::Kind::too_large);
  EXPECT_EQ(failure->message, "its store would hold 12 bytes, more than the 10 that it may");
  EXPECT_EQ(store.read("a"), (KvMap{{"k", "123456789"}}));
  EXPECT_EQ(store.write("b", {{{"k", "123456789"}}, {}}), std::nullopt);
  EXPECT_EQ(store.write("a", {{{"l", "12345678"}}, {"k"}}), std::nullopt);
  EXPECT_TRUE(store.write("c", {{{std::string(kKvKeyBytesMax + 1, 'k'), ""}}, {}}));
}

TEST(KvStore, AFileThatIsNoneSaysSo) {
  const TempFolder folder;
  folder.write("kv.sqlite", std::string(5000, 'x'));
  RunningStore store(folder / "kv.sqlite");
  EXPECT_THAT(std::get<KvFailure>(store.try_read("a")).message,
              HasSubstr("kv.sqlite: file is not a database"));
  const auto failure = store.write("a", {{{"k", "v"}}, {}});
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->kind, KvFailure::Kind::broken);
}

TEST(KvStore, WhatWaitsIsBounded) {
  const TempFolder folder;
  SqliteKvStore store(folder / "kv.sqlite", {.waiting_max = 1});  // nobody runs it
  store.read("a", [](auto) {});
  std::optional<KvFailure> failure;
  store.write("a", {}, [&](auto result) { failure = result; });
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->kind, KvFailure::Kind::overloaded);
}

}  // namespace
}  // namespace funcd::storage
